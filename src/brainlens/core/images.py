"""Owns any file -> array: the one place where image files are found, opened and made grey.

Enters: a file or its bytes, whatever its name says. Leaves: a loaded Pillow image in the file's own
mode, or a writable uint8 array `H x W`; for everything else one ImageError. Safe to call from
several threads: no setting of Pillow is touched.
"""

from __future__ import annotations

import io
import os
import re
import stat
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from brainlens.core.errors import ImageError, TooLargeError

PIXEL_LIMIT = 100_000_000  # 10,000 x 10,000: at most 400 MB once decoded
SUFFIXES = frozenset({".jpg", ".jpeg", ".jfif", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif"})

# Only raster formats: Pillow would hand an EPS to Ghostscript, and takes some text for pictures.
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WEBP", "JPEG2000", "PPM")
_EXPECTED = "a JPEG, PNG, TIFF, WebP, BMP or GIF image"
_QUIET = ("ignore", None, Warning, re.compile(r"PIL\."), 0)
_WINDOW = (0.5, 99.5)  # percentiles; what lies outside is clipped
_TIFF_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0


def open_image(
    source: Path | bytes, *, name: str = "", pixel_limit: int = PIXEL_LIMIT, least: int = 0
) -> Image.Image:
    """Load the first frame of an image, upright, in the file's own mode.

    `name` stands for the file in errors. `pixel_limit` (width x height) is held against the header,
    before anything is decoded; Pillow's own limit of 179 million stays in force above it. With
    `least` a JPEG may be decoded at a half, a quarter or an eighth of its size, which takes less
    time, but at no fewer than so many pixels a side.
    """
    name = name or (str(source) if isinstance(source, Path) else "image")
    _silence_pillow()
    with _stream(source, name) as stream:
        if not stream.read(1):
            raise ImageError(name, "an empty file", _EXPECTED, "Fetch it again")
        try:
            image = Image.open(stream, formats=_FORMATS)
            _check_size(image, name, pixel_limit)
            if least:
                image.draft(None, (least, least))
            image.load()
            _turn_upright(image)
        except ImageError:
            raise
        except Exception as error:  # Pillow raises nearly every kind over broken files
            raise _image_error(name, error, pixel_limit) from error
    image.filename = name  # for the errors of to_grey
    return image


def to_grey(image: Image.Image) -> NDArray[np.uint8]:
    """Make any image grey, uint8 `H x W`: luma of ITU-R 601, alpha laid over black.

    Modes deeper than 8 bits are windowed: percentiles 0.5 to 99.5 become 0 to 255.
    """
    _silence_pillow()
    try:
        if image.mode.startswith(("I", "F")):
            return _windowed(image)
        if image.has_transparency_data:
            colour = image.convert("RGBA")
            black = Image.new("L", image.size)
            return np.array(Image.composite(colour.convert("L"), black, colour.getchannel("A")))
        if image.mode in {"1", "RGB"}:
            return np.array(image.convert("L"))
        return np.array(image if image.mode == "L" else image.convert("RGB").convert("L"))
    except Exception as error:  # a broken palette or transparency shows only here
        raise _image_error(str(getattr(image, "filename", "")) or "image", error) from error


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Read an image file as a grey array, uint8 `H x W`."""
    return to_grey(open_image(path))


def find_images(folder: Path) -> list[Path]:
    """List the image files below `folder` in natural order (`2.png` before `10.png`), by suffix.

    Hidden files and folders and `__MACOSX` are left out. Links are followed, yet each folder is
    entered once, by its own name where it has one here.
    """
    found: list[Path] = []
    folders, links, seen = [folder], list[Path](), set[str]()
    while folders or links:
        current = folders.pop() if folders else links.pop(0)
        if (identity := os.path.realpath(current)) in seen:
            continue
        seen.add(identity)
        try:
            for path in _visible(current):
                if path.is_dir():
                    (links if path.is_symlink() else folders).append(path)
                elif path.suffix.lower() in SUFFIXES and path.is_file():
                    found.append(path)
        except OSError as error:
            raise ImageError(current, _reason(error), "a readable folder of images") from error
    return sorted(found, key=lambda path: (_natural(path.relative_to(folder)), str(path)))


def _visible(folder: Path) -> list[Path]:
    """The entries of one folder, sorted, less what is hidden."""
    names = sorted(os.listdir(folder))
    return [folder / name for name in names if not name.startswith(".") and name != "__MACOSX"]


def _natural(path: Path) -> list[list[str | int]]:
    """A sort key that compares runs of digits as numbers; text and numbers alternate."""
    split = (re.split(r"(\d+)", part.casefold()) for part in path.parts)
    return [[int(s) if i % 2 else s for i, s in enumerate(pieces)] for pieces in split]


def _stream(source: Path | bytes, name: str) -> BinaryIO:
    """Open for reading; a pipe or a device, which could block for ever, is refused."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        mode = source.stat().st_mode
        if not stat.S_ISREG(mode):
            got = "a folder" if stat.S_ISDIR(mode) else "no regular file"
            raise ImageError(name, got, "an image file", "Name the file itself")
        return source.open("rb")
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        step = "Check the name and the permissions"
        raise ImageError(name, _reason(error), "a readable image file", step) from error


def _check_size(image: ImageFile.ImageFile, name: str, limit: int) -> None:
    width, height = image.size
    if width * height > limit:
        got = f"{width:,} x {height:,} pixels"
        raise TooLargeError(name, got, f"at most {limit:,} pixels", "Scale it down first")


def _turn_upright(image: Image.Image) -> None:
    """Apply the EXIF orientation; EXIF that cannot be read says nothing, the pixels still count."""
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except MemoryError:
        raise
    except Exception:
        return


def _windowed(image: Image.Image) -> NDArray[np.uint8]:
    """Map percentiles 0.5 to 99.5 linearly to 0 to 255; NaN and constant images give 0.

    Where more than 99 % of the pixels are equal the whole range counts instead.
    """
    values = np.asarray(image).astype(np.float64)  # (H, W); float32 could overflow in high - low
    if getattr(image, "tag_v2", {}).get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO:
        values = -values  # Pillow inverts such TIFFs at 8 bits only; the window undoes the shift
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(finite, _WINDOW)
    if low == high:
        low, high = finite.min(), finite.max()
    if low == high:
        return np.zeros(values.shape, np.uint8)
    values -= low
    values *= 255 / (high - low)
    np.clip(values, 0, 255, out=values)
    values[np.isnan(values)] = 0
    return np.rint(values).astype(np.uint8)


def _silence_pillow() -> None:
    """Ignore warnings out of Pillow's modules: what matters in them becomes an ImageError.

    A standing filter, since `warnings.catch_warnings` is not safe between threads.
    """
    if warnings.filters[:1] != [_QUIET]:
        warnings.filterwarnings("ignore", module=r"PIL\.")


def _image_error(name: str, error: Exception, limit: int = PIXEL_LIMIT) -> ImageError:
    """Say in one line what is wrong with a file over which Pillow raised `error`."""
    if isinstance(error, Image.DecompressionBombError):
        step = "Scale it down first"
        return TooLargeError(name, "far too many pixels", f"at most {limit:,} pixels", step)
    if isinstance(error, MemoryError):
        return TooLargeError(name, "more pixels than fit in memory", "a smaller image")
    if isinstance(error, UnidentifiedImageError):
        return ImageError(name, "content of no known image format", _EXPECTED, "Check the file")
    got = f"a broken image ({_reason(error)})"
    return ImageError(name, got, "a whole image", "Fetch or export it again")


def _reason(error: Exception) -> str:
    """The words of an exception on one line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split()).rstrip(".")
