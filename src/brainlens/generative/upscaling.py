"""Owns the stage `upscale`: files in; PNG files with their sidecars, and sheets, out.

Every output is marked, in the PNG's own text and in the JSON beside it: it shows detail that no
scanner measured.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from PIL.PngImagePlugin import PngInfo

from brainlens import __version__
from brainlens.core.errors import ConfigError, ImageError, OutputError, UserError
from brainlens.core.files import replacing, write_json
from brainlens.core.images import find_images
from brainlens.core.interpolation import Kernel
from brainlens.core.png import write_png
from brainlens.core.progress import say
from brainlens.core.provenance import command_line, now
from brainlens.core.scanfiles import find_scans, is_scan, read_slices
from brainlens.core.slices import Slice
from brainlens.generative.enlarging import TILE, bands
from brainlens.generative.generators import Generator, interpolation
from brainlens.generative.pictures import Picture, of_slice, read_picture
from brainlens.generative.sheet import sheet

MARK = "Enhanced picture, not for diagnosis"


@dataclass(frozen=True)
class Source:
    """One file to enlarge, and where below the output its result goes."""

    path: Path
    target: Path  # relative, without ending
    scan: bool


@dataclass(frozen=True)
class Upscaled:
    """One picture that was written."""

    path: Path
    width: int
    height: int


def upscale(
    inputs: Sequence[Path],
    out: Path,
    generator: Generator,
    *,
    tile: int = TILE,
    plane: str = "acquired",
    slices: str = "all",
    compare: bool = False,
    overwrite: bool = False,
) -> tuple[list[Upscaled], list[ImageError]]:
    """Enlarge every input into `out`; answers what was written and what could not be read.

    Raises OutputError before any work where an output exists, ImageError where nothing is read.
    """
    sources = prepare(inputs, out, overwrite=overwrite)
    done: list[Upscaled] = []
    unreadable: list[ImageError] = []
    for source in sources:
        try:
            for target, picture in _pictures(source, plane, slices):
                path = out / f"{target}.png"
                done.append(_write(source, picture, path, generator, tile, compare))
        except ImageError as error:
            unreadable.append(error)
    if not done and unreadable:
        raise unreadable[0]
    return done, unreadable


def prepare(inputs: Sequence[Path], out: Path, *, overwrite: bool) -> list[Source]:
    """What is to be enlarged; refuses what cannot be, before weights are loaded."""
    sources = find_sources(inputs)
    if not overwrite:
        refuse_existing(sources, out)
    return sources


def find_sources(inputs: Sequence[Path]) -> list[Source]:
    """Files as given, folders as the pictures and scans below them; no two write the same file."""
    found: list[tuple[Path, Path]] = []
    for entry in inputs:
        if entry.is_dir():
            inside = [*find_images(entry), *find_scans(entry)]
            if not inside:
                raise UserError(f"{entry}: holds no image and no scan. Give a file, or a folder")
            found += [(path, path.relative_to(entry)) for path in dict.fromkeys(inside)]
        elif not entry.exists():
            raise ImageError(entry, "no such file", "an image, a scan or a folder")
        else:
            found.append((entry, Path(entry.name)))
    plain = Counter(_bare(name) for _, name in found)
    sources = []
    for path, name in found:
        target = _bare(name) if plain[_bare(name)] == 1 else name  # a.jpg beside a.png
        sources.append(Source(path, target, path.is_file() and is_scan(path)))
    twice = [target for target, n in Counter(one.target for one in sources).items() if n > 1]
    if twice:
        raise UserError(f"{twice[0]}: two inputs have this name. Run them with an -o each")
    return sources


def _bare(name: Path) -> Path:
    """A name without its ending, `.nii.gz` and `.dcm.gz` included."""
    bare = name.with_suffix("")
    return bare.with_suffix("") if name.suffix == ".gz" else bare


def refuse_existing(sources: Sequence[Source], out: Path) -> None:
    """Refuse to write over a picture; slices of a volume are numbered, so any of them counts."""
    for source in sources:
        path = out / f"{source.target}.png"
        parent = path.parent
        numbered = parent.glob(f"{source.target.name}-[0-9]*.png") if source.scan else iter(())
        for taken in [path, *numbered]:
            if taken.exists():
                raise OutputError(f"{taken}: exists. Give --overwrite to replace it, or another -o")


def _pictures(source: Source, plane: str, slices: str) -> Iterator[tuple[Path, Picture]]:
    """The pictures of one file with their targets."""
    if not source.scan:
        yield source.target, read_picture(source.path)
        return
    for one in chosen(read_slices(source.path, plane=plane), slices):
        number = one.name[one.name.rindex("-") :] if one.planes > 1 else ""
        yield source.target.with_name(source.target.name + number), of_slice(one)


def chosen(found: Iterator[Slice], slices: str) -> Iterator[Slice]:
    """Those slices that `all`, `middle`, `30` or `30:40` means (from 0, the end left out)."""
    first, colon, last = slices.partition(":")
    try:
        begin = int(first) if first not in {"all", "middle", ""} else 0
        end = int(last) if last else None if colon else begin + 1
    except ValueError:
        raise ConfigError(
            f"--slices {slices}: expected all, middle, one number, or a range such as 30:40"
        ) from None
    any_kept = False
    planes = 0
    for one in found:
        planes = one.planes
        keep = slices == "all" or (
            one.number == one.planes // 2
            if slices == "middle"
            else one.number >= begin and (end is None or one.number < end)
        )
        if keep or one.planes == 1:
            any_kept = True
            yield one
    if not any_kept:
        raise ConfigError(f"--slices {slices}: there are {planes} slices, from 0 to {planes - 1}")


def _write(
    source: Source, picture: Picture, path: Path, generator: Generator, tile: int,
    compare: bool,
) -> Upscaled:  # fmt: skip
    """One picture, its sidecar, and its sheet."""
    scale = generator.scale
    width, height = picture.width * scale, picture.height * scale
    texts = {
        "Disclaimer": MARK,
        "Warning": MARK,
        "Software": f"brainlens {__version__}",
        "Comment": f"{generator.method} x{scale} {generator.weights}".strip(),
    }
    write_png(
        path, bands(picture, generator, tile=tile), width=width, height=height,
        channels=picture.pixels.shape[2], deep=picture.deep, texts=texts, profile=picture.profile,
    )  # fmt: skip
    write_json(path.with_suffix(".json"), sidecar(source, picture, generator, tile))
    if compare:
        kernels = [interpolation(kernel, scale) for kernel in get_args(Kernel)]
        others = [one for one in kernels if one.method != generator.method]
        page = sheet(picture, [*others, generator], MARK)
        with replacing(path.with_suffix(".compare.png")) as temporary:
            page.save(temporary, "PNG", pnginfo=_marked())
    return Upscaled(path, width, height)


def _marked() -> PngInfo:
    """The mark, for a PNG that Pillow writes."""
    info = PngInfo()
    info.add_itxt("Disclaimer", MARK)
    return info


def sidecar(source: Source, picture: Picture, generator: Generator, tile: int) -> dict[str, Any]:
    """What a program must know of an enlarged picture."""
    return {
        "kind": "upscaled",
        "mark": MARK,
        "source": str(source.path),
        "source_digest": _digest(source.path),
        "medical": picture.medical,
        **picture.facts,
        "width": picture.width * generator.scale,
        "height": picture.height * generator.scale,
        "method": generator.method,
        "scale": generator.scale,
        "weights": generator.weights,
        "weights_digest": generator.digest,
        "precision": generator.precision,
        "tile": tile,
        "brainlens": __version__,
        "command": command_line(),
        "written": now(),
    }


def _digest(path: Path) -> str:
    """SHA-256 of a file, which is not held whole."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def report(done: Sequence[Upscaled], unreadable: Sequence[ImageError]) -> None:
    """What was skipped, to standard error."""
    for error in unreadable:
        say(f"skipped {error}")
    if unreadable:
        say(f"{len(unreadable)} of {len(done) + len(unreadable)} files skipped")
