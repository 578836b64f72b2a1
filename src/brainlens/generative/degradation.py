"""Owns how a sharp slice becomes a coarse one: as a scanner would take it, or as the field does.

An MR scanner samples the Fourier transform of a picture; a scan of a quarter of the resolution has
the middle of those samples and no more. That gives Gibbs ringing, which bicubic shrinking has not.
Enters: (N, 1, H, W) tensors of 0 to 1, sides multiples of the scale. Leaves: (N, 1, H/s, W/s).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from brainlens.core.interpolation import weights

Shrink = Literal["bicubic", "kspace"]


def kspace(
    sharp: Tensor, scale: int, *, window: float = 0.0, noise: Tensor | None = None
) -> Tensor:
    """The magnitude picture of the middle 1/s x 1/s of k-space.

    `window`: 0 leaves the samples as they are, 1 weighs them by Hamming's window, as scanners do to
    damp ringing. `noise`: complex, of the output's shape, added before the magnitude (Rician).
    """
    height, width = sharp.shape[-2] // scale, sharp.shape[-1] // scale
    spectrum = torch.fft.fftshift(torch.fft.fft2(sharp), dim=(-2, -1))
    top = sharp.shape[-2] // 2 - height // 2
    left = sharp.shape[-1] // 2 - width // 2
    middle = spectrum[..., top : top + height, left : left + width]
    if window:
        taper = _hamming(height)[:, None] * _hamming(width)[None, :]
        middle = middle * (1 - window + window * taper)
    middle = middle * _half_pixel(height, scale)[:, None] * _half_pixel(width, scale)[None, :]
    coarse = torch.fft.ifft2(torch.fft.ifftshift(middle, dim=(-2, -1))) / scale**2
    return torch.abs(coarse if noise is None else coarse + noise)


def _hamming(length: int) -> Tensor:
    """Hamming's window, 1 at the zero frequency."""
    return 0.54 + 0.46 * torch.cos(2 * torch.pi * (torch.arange(length) - length // 2) / length)


def _half_pixel(length: int, scale: int) -> Tensor:
    """The phase that moves sample 0 of the coarse grid to the middle of its s fine pixels.

    Without it the coarse picture would lie (s - 1) / 2 fine pixels beside the sharp one.
    """
    frequency = (torch.arange(length) - length // 2) / (length * scale)  # cycles a fine pixel
    return torch.exp(2j * torch.pi * frequency * (scale - 1) / 2)


def bicubic(sharp: Tensor, scale: int) -> Tensor:
    """MATLAB's bicubic shrinking."""
    rows = torch.from_numpy(weights(sharp.shape[-2], sharp.shape[-2] // scale, "bicubic"))
    columns = torch.from_numpy(weights(sharp.shape[-1], sharp.shape[-1] // scale, "bicubic"))
    return rows.to(sharp) @ sharp @ columns.to(sharp).T
