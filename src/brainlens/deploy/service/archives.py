"""Owns zip uploads: opened in memory and never further than the limits allow.

Names in an archive are words to show, never paths to write to. An archive within an archive is
refused; sizes are counted as bytes come out, not as the headers promise.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import PurePosixPath

from brainlens.deploy.service.refusals import Refusal
from brainlens.deploy.service.settings import Limits

_ZIP, _EMPTY_ZIP = b"PK\x03\x04", b"PK\x05\x06"
_PLAIN = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # others may ask for gigabytes to unpack
_SILENT = {"dicomdir", "thumbs.db", "readme.md", "readme.txt", "license", "license.txt"}


def is_zip(content: bytes) -> bool:
    """Whether the first bytes say zip."""
    return content[:4] in (_ZIP, _EMPTY_ZIP)


def entries(name: str, content: bytes, limits: Limits) -> Iterator[tuple[str, bytes]]:
    """Every file of a zip, with its name below the archive's; raises Refusal."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = [one for one in archive.infolist() if not one.is_dir() and _seen(one.filename)]
            if len(files) > limits.files:
                raise Refusal(
                    "too-large", f"{name}: {len(files):,} files; at most {limits.files:,} at once"
                )
            left = limits.unpacked
            for one in files:
                data = _unpacked(archive, one, name, left)
                left -= len(data)
                yield f"{PurePosixPath(name).stem}/{one.filename}", data
    except Refusal:
        raise
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError,
            NotImplementedError, UnicodeDecodeError, OverflowError) as error:  # fmt: skip
        line = " ".join(str(error).split())[:120]
        raise Refusal("broken-file", f"{name}: is a broken archive ({line})") from None


def _seen(name: str) -> bool:
    """Whether an entry is anything but what systems and archives add by themselves."""
    parts = name.replace("\\", "/").split("/")
    hidden = any(part == "__MACOSX" or part.startswith("._") for part in parts)
    return not hidden and parts[-1].lower() not in _SILENT and not parts[-1].startswith(".")


def _unpacked(archive: zipfile.ZipFile, one: zipfile.ZipInfo, name: str, left: int) -> bytes:
    if one.flag_bits & 1:
        raise Refusal("broken-file", f"{name}: is encrypted; expected a plain zip")
    if one.compress_type not in _PLAIN:
        raise Refusal("broken-file", f"{name}: is packed in a way that is not taken; use deflate")
    with archive.open(one) as stream:
        data = stream.read(left + 1)
    if len(data) > left:
        raise Refusal("too-large", f"{name}: unpacks to more than the server takes at once")
    return data
