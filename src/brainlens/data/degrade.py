"""Owns graded harm to pictures: what a poor scan looks like, as a table from mild to severe.

Enters: (S, S) uint8 pictures as a network sees them. Leaves: the same, worse. Lengths are shares
of the side, so that a severity means the same at any size. What happens to picture i depends on
the severity and i alone. Ghosts and bias fields: Shaw et al. 2019; Sudre et al. 2017 (TorchIO).
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from brainlens.core.seeding import generator
from brainlens.data.preprocess import Array

Harm = Callable[[Array, float, np.random.Generator], Array]  # float picture in 0..255, in and out


@dataclass(frozen=True)
class Degradation:
    """One way in which a scan can be poor."""

    harm: Harm
    severities: tuple[float, ...]  # mild to severe
    unit: str
    why: str


def blur(picture: Array, sigma: float, draw: np.random.Generator) -> Array:
    """A Gaussian of so many percent of the side."""
    return np.asarray(ndimage.gaussian_filter(picture, sigma / 100 * len(picture)))


def noise(picture: Array, sigma: float, draw: np.random.Generator) -> Array:
    """Rician noise, of magnitude images (Gudbjartsson 1995): positive, worst in the dark."""
    real, imaginary = draw.normal(0, sigma / 100 * 255, (2, *picture.shape))
    return np.asarray(np.hypot(picture + real, imaginary))


def low_resolution(picture: Array, factor: float, draw: np.random.Generator) -> Array:
    """So many times fewer pixels a side, and back."""
    image, side = Image.fromarray(picture.astype(np.float32)), len(picture)
    small = max(2, round(side / factor))
    coarse = image.resize((small, small), Image.Resampling.BOX)
    return np.asarray(coarse.resize((side, side), Image.Resampling.BILINEAR))


def jpeg(picture: Array, quality: float, draw: np.random.Generator) -> Array:
    """Saved as a JPEG of this quality."""
    stream = io.BytesIO()
    Image.fromarray(picture.astype(np.uint8)).save(stream, "JPEG", quality=int(quality))
    with Image.open(stream) as image:
        return np.asarray(image, np.float64)


def contrast(picture: Array, factor: float, draw: np.random.Generator) -> Array:
    """Grey values drawn towards their mean: so much of the contrast is left."""
    return np.asarray(picture.mean() + factor * (picture - picture.mean()))


def bias_field(picture: Array, depth: float, draw: np.random.Generator) -> Array:
    """A smooth field from one side of the head to the other, exp(-depth) to exp(depth)."""
    angle, side = draw.uniform(0, 2 * np.pi), np.linspace(-1, 1, len(picture))
    slope = np.cos(angle) * side[None, :] + np.sin(angle) * side[:, None]
    return np.asarray(picture * np.exp(depth * slope / np.abs(slope).max()))


def rotation(picture: Array, degrees: float, draw: np.random.Generator) -> Array:
    """A turn by so many degrees, to either side."""
    turn = degrees * draw.choice((-1, 1))
    return np.asarray(ndimage.rotate(picture, turn, reshape=False, order=1))


def ghosting(picture: Array, strength: float, draw: np.random.Generator) -> Array:
    """Motion between the lines of k-space: every fourth line loses this share of itself."""
    space = np.fft.fft(picture, axis=0)
    space[2::4] *= 1 - strength  # line 0 is the mean brightness
    return np.asarray(np.abs(np.fft.ifft(space, axis=0)))


DEGRADATIONS: dict[str, Degradation] = {
    "blur": Degradation(blur, (0.5, 1, 2, 3), "sigma, % of the side", "out of focus, thick slices"),
    "noise": Degradation(noise, (3, 6, 12, 20), "sigma, % of full scale", "short scans, low field"),
    "low resolution": Degradation(low_resolution, (1.5, 2, 4, 6), "times fewer pixels", "previews"),
    "JPEG": Degradation(jpeg, (50, 25, 10, 5), "quality", "pictures from the web"),
    "contrast": Degradation(contrast, (0.7, 0.5, 0.3, 0.2), "share left", "wrong window"),
    "bias field": Degradation(bias_field, (0.3, 0.6, 1, 1.5), "log depth", "surface coils"),
    "rotation": Degradation(rotation, (5, 15, 30, 45), "degrees", "tilted heads"),
    "ghosting": Degradation(ghosting, (0.2, 0.4, 0.6, 0.8), "share of lines", "moving patients"),
}


def degraded(pictures: Array, name: str, severity: float) -> Array:
    """(N, S, S) uint8 pictures, harmed."""
    harm = DEGRADATIONS[name].harm
    result = np.empty_like(pictures)
    for number, picture in enumerate(pictures):
        draw = generator("degrade", name, str(severity), number)
        result[number] = np.clip(np.rint(harm(picture.astype(float), severity, draw)), 0, 255)
    return result
