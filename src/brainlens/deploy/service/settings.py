"""Owns what a server is told: where it listens, what it may take, where it keeps its readings."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from brainlens.core.processors import cores

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})
MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """What one request may cost; beyond it the answer is 4xx, and the server stays up."""

    upload: int = 256 * MEGABYTE  # bytes of one request
    unpacked: int = 1024 * MEGABYTE  # bytes of one archive or gzip file, unpacked
    files: int = 1000  # in one request, archives' entries included
    pixels: int = 36_000_000  # of one picture, or voxels of one slice
    total_pixels: int = 150_000_000  # of one request
    slices: int = 1000  # of one request
    receive_seconds: float = 120.0  # for a request to arrive whole
    work_seconds: float = 600.0  # for its answer
    queue: int = 64  # requests at work or waiting; one more is answered 429
    batch: int = 16  # slices that go through the model at once, in each lane
    lanes: int = field(default_factory=cores)  # batches at work at once, each on a core of its own
    album: int = 256 * MEGABYTE  # of pictures held in memory for the page


@dataclass(frozen=True)
class Settings:
    """One server."""

    model: Path
    folder: Path  # history, audit log, kept images, work in progress
    database: str = ""  # URL; "" is SQLite in `folder`
    host: str = "127.0.0.1"
    port: int = 8000
    names: tuple[str, ...] = ()  # further host names that it answers to
    proxy: str = ""  # address of a proxy whose word on who asks is taken; "" takes nobody's
    token: str = ""  # "" asks for none
    keep_images: bool = False
    upscaler: Path | None = None
    stylist: Path | None = None  # None: the one in the package, where there is one
    evaluation: Path | None = None  # of the model; None: the record beside it, where there is one
    audit_key: bytes = b""
    coverage: float = 0.95
    certificate: Path | None = None
    private_key: Path | None = None
    limits: Limits = field(default_factory=Limits)

    @property
    def hosts(self) -> frozenset[str]:
        """The host names it answers to; empty answers to all.

        On the loopback only its own names count: a page elsewhere whose name was made to point
        here (DNS rebinding) is refused.
        """
        if self.host in LOOPBACK or self.names:
            return LOOPBACK | {self.host} | {name.lower() for name in self.names}
        return frozenset()
