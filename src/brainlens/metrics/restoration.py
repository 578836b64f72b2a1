"""Owns how near a restored picture comes to the original: PSNR and SSIM, by the field's protocol.

On luma (ITU-R 601 as MATLAB's `rgb2ycbcr`, 16 to 235; grey pictures as they are), with `border`
pixels cut off each side. Pure functions: (H, W) or (H, W, 3) pixels of 0 to 255 in, numbers out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

Array = np.ndarray[Any, Any]

_LUMA = np.array([65.481, 128.553, 24.966]) / 255
_SIGMA, _REACH = 1.5, 5  # of SSIM's Gaussian window: 11 x 11 pixels
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def luma(picture: Array) -> Array:
    """Y of a picture, (H, W) float64, unrounded."""
    values = picture.astype(np.float64)
    return 16 + values @ _LUMA if picture.ndim == 3 else values


def psnr_y(original: Array, restored: Array, *, border: int = 4) -> float:
    """Peak signal-to-noise ratio in dB; infinite where the pictures are equal."""
    a, b = _cut(original, border), _cut(restored, border)
    error = float(np.mean((a - b) ** 2))
    return 10 * float(np.log10(255**2 / error)) if error else float("inf")


def psnr_rgb(original: Array, restored: Array, *, border: int = 4) -> float:
    """PSNR over all channels as they are, as some tables have it."""
    inside = slice(border, -border or None)
    a, b = (one[inside, inside].astype(np.float64) for one in (original, restored))
    error = float(np.mean((a - b) ** 2))
    return 10 * float(np.log10(255**2 / error)) if error else float("inf")


def ssim_y(original: Array, restored: Array, *, border: int = 4) -> float:
    """Structural similarity (Wang 2004): the mean over windows that lie within the picture."""
    a, b = _cut(original, border), _cut(restored, border)
    mean_a, mean_b = _blurred(a), _blurred(b)
    var_a, var_b = _blurred(a * a) - mean_a**2, _blurred(b * b) - mean_b**2
    cov = _blurred(a * b) - mean_a * mean_b
    top = (2 * mean_a * mean_b + _C1) * (2 * cov + _C2)
    index = top / ((mean_a**2 + mean_b**2 + _C1) * (var_a + var_b + _C2))
    return float(index[_REACH:-_REACH, _REACH:-_REACH].mean())


def _cut(picture: Array, border: int) -> Array:
    """The luma less its border; what is left must hold one window of SSIM."""
    y = luma(picture)
    if min(y.shape) < 2 * (border + _REACH) + 1:
        raise ValueError(f"a picture of {y.shape} is too small for a border of {border}")
    return y[border:-border, border:-border] if border else y


def _blurred(values: Array) -> Array:
    return np.asarray(ndimage.gaussian_filter(values, _SIGMA, radius=_REACH))
