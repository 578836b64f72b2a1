"""Owns descriptors: a grey picture in, the few numbers by which its twins are found out.

A descriptor is a frame (the whole picture at 128 x 128, for the exact correlation) and three codes
(low-frequency cosine coefficients, for the cheap search): one of the whole frame, which gamma,
noise and JPEG leave alone; one of a window around the head placed by the moments of its brightness,
which cropping and borders leave alone; one of the frame's inner part, which is what a crop keeps of
a head that fills the frame and whose moments the crop changes. A flip or quarter turn of the
picture only changes signs and order of a code's coefficients, so one code serves all eight
symmetries (symmetry).

Sizes an image in memory: frame 16,384 bytes, thumb 1,024, codes, slopes and windows 1,528. The
compact form (compact) holds codes, windows and marks, the bare signs of 155 finer
coefficients: 186 bytes, from which no more than a blur of about 10 x 10 can be rebuilt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from PIL import Image

from brainlens.data.shrinking import reduced

Array = np.ndarray[Any, Any]

FRAME = 128  # pixels a side at which twins are correlated
SMALL = 64  # pixels a side from which codes are computed
THUMB = 32  # pixels a side at which candidates are sifted
ORDERS = 10  # cosine orders an axis, 0 to 9
FINE_ORDERS = 20  # of marks
WINDOW = 1.5  # half width of the head window, in standard deviations of its brightness
INNER = 0.05  # of the frame, left out on every side by the inner part
STEP = 0.04  # of the window: how far slopes look to either side
SLACK = 1.5  # whole-pixel means stop this far above FRAME: what is fine must not alias
BATCH = 128  # pictures described at once: bounds the memory, fits the cache
FORMAT = 1  # raise it when descriptors of old and new versions no longer compare


def _orders(low: int, high: int) -> tuple[Array, Array]:
    """Vertical and horizontal orders with a sum of low to high - 1."""
    total = np.add.outer(np.arange(high), np.arange(high))
    vertical, horizontal = np.nonzero((total >= low) & (total < high))
    return vertical, horizontal


VERTICAL, HORIZONTAL = _orders(1, ORDERS)  # (CODE,); the mean, (0, 0), says nothing
CODE = len(VERTICAL)  # 54 coefficients
MARK_VERTICAL, MARK_HORIZONTAL = _orders(ORDERS, FINE_ORDERS)
MARKS = len(MARK_VERTICAL)  # 155 signs
_WEIGHT = np.hypot(VERTICAL, HORIZONTAL).astype(
    np.float32
)  # whitens: MRI power falls off with frequency
_CENTRES = ((np.arange(SMALL) + 0.5) / SMALL).astype(np.float32)
_FLAT = VERTICAL * ORDERS + HORIZONTAL

# (THUMB, SMALL): smoothing by 1 3 3 1 and every second pixel, so that crops of one picture, whose
# pixels fall elsewhere, still agree.
_HALVING = np.zeros((THUMB, SMALL), np.float32)
for _tap, _share in zip((-1, 0, 1, 2), (1, 3, 3, 1), strict=True):
    _rows = np.arange(THUMB)
    np.add.at(_HALVING, (_rows, np.clip(2 * _rows + _tap, 0, SMALL - 1)), _share / 8)


@dataclass(frozen=True)
class Descriptors:
    """The descriptors of N images; without frames and slopes they are compact."""

    codes: Array  # (N, 3, CODE) float32, unit vectors: whole frame, head, inner part; 0 if blank
    windows: Array  # (N, 4) float32: left, right, top, bottom of the head, in shares of the frame
    slopes: Array | None = None  # (N, 4, CODE) float32: change of the head code with its window
    thumbs: Array | None = None  # (N, THUMB, THUMB) uint8, tones evened
    frames: Array | None = None  # (N, FRAME, FRAME) uint8
    marks: Array | None = None  # (N, MARKS) int8, -1 or 1: signs of finer waves over the head

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def compact(self) -> bool:
        """Whether no pictures are here: twins can be told by their marks, not measured."""
        return self.frames is None

    def take(self, rows: Any) -> Descriptors:
        """The descriptors of some images: a slice, or numbers in the order wanted."""
        if not isinstance(rows, slice) and np.array_equal(rows, np.arange(len(self))):
            return self  # all, as they are: frames are large
        values: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        taken: dict[str, Any] = {k: None if v is None else v[rows] for k, v in values.items()}
        return Descriptors(**taken)


def frame_of(grey: Array) -> Array:
    """The whole picture, (H, W) uint8 of any size, at FRAME x FRAME, distorted to the square."""
    height, width = grey.shape
    times = max(1, int(width / FRAME / SLACK)), max(1, int(height / FRAME / SLACK))
    small = reduced(grey, times)  # a mean of whole pixels: half the time of a resize
    if small.shape == (FRAME, FRAME):
        return small
    whole = 0, 0, width / times[0], height / times[1]  # the last may be in part
    image = Image.fromarray(small).resize((FRAME, FRAME), Image.Resampling.BILINEAR, box=whole)
    return np.asarray(image)


def describe(frames: Iterable[Array]) -> Descriptors:
    """Descriptors of frames, each (FRAME, FRAME) uint8 from `frame_of`, in their order."""
    kept = frames if isinstance(frames, np.ndarray) else np.array(list(frames), np.uint8)
    kept = kept.reshape(-1, FRAME, FRAME)
    parts = [_codes(kept[at : at + BATCH]) for at in range(0, len(kept), BATCH)]
    if not parts:
        parts = [_codes(kept)]
    codes, windows, slopes, thumbs = (np.concatenate(part) for part in zip(*parts, strict=True))
    return Descriptors(codes, windows, slopes, thumbs, kept)


def join(parts: Sequence[Descriptors]) -> Descriptors:
    """Stack descriptors; compact if any part is."""
    joined: dict[str, Array | None] = {}
    for field in fields(Descriptors):
        values = [getattr(part, field.name) for part in parts]
        joined[field.name] = None if any(v is None for v in values) else np.concatenate(values)
    return Descriptors(**joined)  # type: ignore[arg-type]


def even_tones(frames: Array) -> tuple[Array, Array]:
    """Undo gamma and gain: (N, S, S) uint8 to 0..1 with the head's mean at one half, and air.

    The second result, (N,), is the tone below which a pixel is air: half of Otsu's threshold.
    """
    flat = frames.reshape(-1, frames.shape[-1] ** 2)
    offsets = np.arange(len(flat), dtype=np.int32)[:, None] * 256
    counts = np.bincount((flat + offsets).ravel(), minlength=256 * len(flat))
    counts = counts.reshape(-1, 256).astype(np.float64)  # (N, 256)
    levels = np.arange(256.0)
    below, mass = counts.cumsum(1), (counts * levels).cumsum(1)
    total, whole = below[:, -1:], mass[:, -1:]
    spread = (whole * below - mass * total) ** 2 / np.maximum(below * (total - below), 1)
    air = spread.argmax(1) / 2  # Otsu 1979
    top = np.maximum((below >= 0.995 * total).argmax(1), 1)[:, None]
    scaled = np.minimum(levels / top, 1)  # (N, 256)
    head = counts * (levels > air[:, None])
    mean = (head * scaled).sum(1) / np.maximum(head.sum(1), 1)
    gamma = np.clip(np.log(0.5) / np.log(np.clip(mean, 0.05, 0.95)), 0.3, 3)[:, None]
    curve = scaled.astype(np.float32) ** gamma.astype(np.float32)  # (N, 256)
    edge = np.minimum(air[:, None] / top, 1) ** gamma
    return np.take(curve, flat + offsets).reshape(frames.shape), edge[:, 0].astype(np.float32)


def _codes(frames: Array) -> tuple[Array, Array, Array, Array]:
    """Codes (N, 3, CODE), windows (N, 4), slopes (N, 4, CODE) and thumbs of frames."""
    tones, air = even_tones(halved(frames))  # (N, SMALL, SMALL)
    windows = _head_windows(np.maximum(tones - air[:, None, None], 0))
    whole, part = _waves(np.array([[0, 1], [INNER, 1 - INNER]], np.float32))
    full, inner = _flat(whole @ tones @ whole.T), _flat(part @ tones @ part.T)
    x, y = windows[:, :2], windows[:, 2:]
    across, down = _waves(x), _waves(y)  # (N, ORDERS, SMALL)
    rows = down @ tones  # (N, ORDERS, SMALL)
    columns = tones @ across.transpose(0, 2, 1)  # (N, SMALL, ORDERS)
    head = _flat(rows @ across.transpose(0, 2, 1))
    plain = np.ptp(tones.reshape(-1, SMALL * SMALL), axis=1) <= 0  # its codes would be rounding
    full[plain], head[plain], inner[plain] = 0, 0, 0
    scale = np.linalg.norm(head, axis=1)
    slopes = np.empty((len(frames), 4, CODE), np.float32)
    for k, (move_lo, move_hi) in enumerate(((1, 1), (-0.5, 0.5))):  # shift; widen about the middle
        for axis, span in ((0, x), (1, y)):
            width = span[:, 1:] - span[:, :1]
            step = STEP * width * np.array([move_lo, move_hi], np.float32)
            rise = _waves(span + step) - _waves(span - step)
            change = rise @ columns if axis else rows @ rise.transpose(0, 2, 1)
            slopes[:, 2 * axis + k] = _flat(change) / (2 * STEP)
    safe = np.maximum(scale, 1e-6)
    codes = np.stack([full, head, inner], 1)
    codes /= np.maximum(np.linalg.norm(codes, axis=2, keepdims=True), 1e-6)
    thumbs = _HALVING @ tones @ _HALVING.T
    return codes, windows, slopes / safe[:, None, None], np.rint(thumbs * 255).astype(np.uint8)


def halved(frames: Array) -> Array:
    """(N, FRAME, FRAME) uint8 to (N, SMALL, SMALL) uint8, each the mean of four pixels."""
    pairs = frames[:, ::2].astype(np.uint16) + frames[:, 1::2]
    return np.asarray((pairs[:, :, ::2] + pairs[:, :, 1::2] + 2) >> 2, np.uint8)


def _head_windows(mass: Array) -> Array:
    """(N, SMALL, SMALL) brightness above air to (N, 4) left, right, top, bottom in 0..1."""
    sides = []
    for axis in (1, 2):  # summed over rows: across; over columns: down
        profile = mass.sum(axis)
        total = np.maximum(profile.sum(1, keepdims=True), 1e-6)
        middle = (profile * _CENTRES).sum(1, keepdims=True) / total
        spread = (profile * (_CENTRES - middle) ** 2).sum(1, keepdims=True) / total
        reach = np.maximum(WINDOW * np.sqrt(spread), 4 / SMALL)
        blank = profile.sum(1, keepdims=True) <= 1e-6
        sides += [np.where(blank, 0, middle - reach), np.where(blank, 1, middle + reach)]
    return np.asarray(np.clip(np.concatenate(sides, 1), 0, 1), np.float32)


def marks(frames: Array, windows: Array) -> Array:
    """(N, FRAME, FRAME) uint8 and windows (N, 4) to (N, MARKS) int8 signs of finer waves."""
    return marks_of(even_tones(halved(frames))[0], windows)


def marks_of(tones: Array, windows: Array) -> Array:
    """`marks` of even tones (N, SMALL, SMALL)."""
    across, down = (_waves(windows[:, k : k + 2], FINE_ORDERS) for k in (0, 2))
    table = down @ tones @ across.transpose(0, 2, 1)  # (N, FINE_ORDERS, FINE_ORDERS)
    fine = table[:, MARK_VERTICAL, MARK_HORIZONTAL]
    return np.asarray(np.where(fine < 0, -1, 1), np.int8)


def _waves(spans: Array, orders: int = ORDERS) -> Array:
    """(N, 2) low and high to (N, orders, SMALL) cosines over that span, 0 outside it."""
    low, high = spans[:, :1], spans[:, 1:]
    half = 0.5 / SMALL
    inside = np.minimum(_CENTRES + half, high) - np.maximum(_CENTRES - half, low)
    inside = np.clip(inside, 0, None) / (high - low)  # (N, SMALL) share of the span
    phase = (np.pi * (_CENTRES - low) / (high - low)).astype(np.float32)
    steps = np.arange(orders, dtype=np.float32)[None, :, None]
    waves = np.cos(steps * phase[:, None]) * inside[:, None]
    return np.asarray(waves, np.float32)


def _flat(table: Array) -> Array:
    """(N, ORDERS, ORDERS) coefficients to (N, CODE), weighted."""
    return np.asarray(np.take(table.reshape(-1, ORDERS**2), _FLAT, axis=1) * _WEIGHT)
