"""Owns pictures made for looking at: enlarged, or in Van Gogh's manner, and marked as such.

Enters: an uploaded picture, at most `_LARGEST` pixels. Leaves: PNGs, and how near the enlarged one
comes to a reference (PSNR and SSIM on luma, 4 pixels of border left out).
"""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from brainlens.core.images import open_image, to_grey
from brainlens.core.interpolation import shrink
from brainlens.data.measures import colourfulness
from brainlens.deploy.service.refusals import Refusal
from brainlens.deploy.service.settings import Limits
from brainlens.deploy.service.uploads import read_upload, shown_name
from brainlens.deploy.stylist import Stylist, shipped

Array = np.ndarray[Any, Any]
MARK = "Enhanced picture, not for diagnosis"
STYLED = "Styled picture, not a scan"
CLASSICS = ("bicubic", "bilinear", "nearest")
_LARGEST = {"esrgan": 512 * 512, "style": 1024 * 1024}  # pixels that a CPU does in a minute or so
_OUT = 36_000_000
_LEAST = 32  # pixels a side: less has no window of SSIM left, and nothing to look at


class Enhancer:
    """What enlarges and styles: the classics always, networks where their files are given."""

    def __init__(self, upscaler: Path | None, stylist: Path | None, limits: Limits) -> None:
        """Raises WeightsError or RunError for files that are no such exports."""
        self._limits = limits
        self._network: Any = None
        if upscaler is not None:
            from brainlens.deploy.upscaler import open_exported

            self._network = open_exported(upscaler, 4, precision="auto")
        painter = stylist or shipped()
        self._stylist = Stylist(painter) if stylist or painter.is_file() else None

    @property
    def methods(self) -> list[str]:
        """The methods that can be asked for."""
        return ["esrgan", *CLASSICS] if self._network else list(CLASSICS)

    @property
    def styles(self) -> bool:
        """Whether a style model is present."""
        return self._stylist is not None

    def enlarge(
        self, name: str, content: bytes, folder: Path, *, method: str, scale: int, check: bool,
        reference: tuple[str, bytes] | None,
    ) -> dict[str, Any]:  # fmt: skip
        """A picture enlarged; with `check` it is first made small and then compared with itself."""
        if method not in self.methods:
            known = method == "esrgan"  # but without its file
            here = ", ".join(self.methods)
            raise Refusal(
                "not-built" if known else "invalid", f"method {method[:40]}: expected one of {here}"
            )
        if method == "esrgan" and scale != 4:
            raise Refusal("invalid", f"scale {scale}: esrgan enlarges 4 times")
        before, original = self._pixels(name, content, folder), None
        if check:
            height, width = (side - side % scale for side in before.shape[:2])
            original = before[:height, :width]
            before = _whole(shrink(original, scale))
        elif reference is not None:
            original = self._pixels(*reference, folder)
        side = min(before.shape[:2])
        if side < (_LEAST // scale if check else 4):
            raise Refusal("invalid", f"{name}: {before.shape[1]} x {before.shape[0]} pixels is too "
                          "small")  # fmt: skip
        _check_size(name, before, _LARGEST.get(method, _OUT), scale)
        after = self._enlarged(before, method, scale)
        answer = _document(before, after, method, MARK)
        if original is not None:
            answer |= _nearness(original, after, self._enlarged(before, "bicubic", scale))
        return answer

    def style(self, name: str, content: bytes, folder: Path, *, strength: float) -> dict[str, Any]:
        """A picture as the style model paints it."""
        if self._stylist is None:
            raise Refusal("not-built", "no generator came with this installation, or by --stylist")
        before = self._pixels(name, content, folder)
        _check_size(name, before, _LARGEST["style"], 1)
        colour = before if before.ndim == 3 else np.repeat(before[..., None], 3, 2)
        after = np.asarray(self._stylist.apply(np.ascontiguousarray(colour), strength), np.uint8)
        return _document(colour, after, self._stylist.file.stem, STYLED)

    def _pixels(self, raw: str, content: bytes, folder: Path) -> Array:
        """(H, W) grey or (H, W, 3) colour, uint8; of a scan its middle slice."""
        name = shown_name(raw)
        planes = read_upload([(raw, io.BytesIO(content))], folder, self._limits).planes
        middle = planes[len(planes) // 2]
        if middle.kind == "picture" and len(planes) == 1 and middle.colour > 0.02:
            image = open_image(content, name=name, pixel_limit=self._limits.pixels)
            if colourfulness(image) > 0.02:
                return np.asarray(image.convert("RGB"))
            return to_grey(image)
        return middle.grey

    def _enlarged(self, before: Array, method: str, scale: int) -> Array:
        from brainlens.generative.enlarging import enlarged
        from brainlens.generative.generators import interpolation
        from brainlens.generative.pictures import Picture

        generator = self._network if method == "esrgan" else interpolation(method, scale)  # type: ignore[arg-type]
        pixels = before if before.ndim == 3 else before[..., None]
        done = enlarged(Picture("upload", pixels, 0.0, 255.0), generator)
        return done if before.ndim == 3 else done[..., 0]


def _check_size(name: str, before: Array, most: int, scale: int) -> None:
    pixels = before.shape[0] * before.shape[1]
    if pixels > most or pixels * scale**2 > _OUT:
        most = min(most, _OUT // scale**2)
        raise Refusal(
            "too-large", f"{name}: {before.shape[1]:,} x {before.shape[0]:,} pixels; here at most "
            f"{most:,} in all"
        )  # fmt: skip


def _nearness(original: Array, after: Array, bicubic: Array) -> dict[str, Any]:
    """PSNR and SSIM against the reference, and what bicubic interpolation reaches."""
    from brainlens.metrics.restoration import psnr_y, ssim_y

    if original.shape[:2] != after.shape[:2]:
        wanted, got = (f"{one.shape[1]} x {one.shape[0]}" for one in (after, original))
        raise Refusal("invalid", f"reference: got {got} pixels; expected {wanted}, as enlarged")
    if original.ndim != after.ndim:
        original, after, bicubic = (_grey(one) for one in (original, after, bicubic))
    near = {"psnr": psnr_y(original, after), "bicubic_psnr": psnr_y(original, bicubic)}
    finite = {key: min(value, 100.0) for key, value in near.items()}  # equal pictures: infinite
    return finite | {"ssim": ssim_y(original, after)}


def _grey(picture: Array) -> Array:
    if picture.ndim == 2:
        return picture
    return np.asarray(Image.fromarray(picture).convert("L"))


def _whole(values: Array) -> Array:
    return np.asarray(np.rint(np.clip(values, 0, 255)), np.uint8)


def _document(before: Array, after: Array, method: str, mark: str) -> dict[str, Any]:
    return {
        "picture": _png(after, mark), "before": _png(before, ""), "width": after.shape[1],
        "height": after.shape[0], "method": method, "mark": mark,
    }  # fmt: skip


def _png(pixels: Array, mark: str) -> str:
    """Base64 of a PNG that carries its mark."""
    texts, stream = PngInfo(), io.BytesIO()
    if mark:
        texts.add_text("Disclaimer", mark)
    Image.fromarray(pixels).save(stream, "PNG", pnginfo=texts, compress_level=3)
    return base64.b64encode(stream.getvalue()).decode("ascii")
