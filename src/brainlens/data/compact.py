"""Owns the compact form of descriptors, which may be passed on: 186 bytes an image, no picture.

Codes at 8 bits, windows, and the bare signs of 155 finer waves, their sizes thrown away. What can
be rebuilt from it is a blur of about 10 x 10 pixels.
"""

from __future__ import annotations

import numpy as np

from brainlens.data.descriptor import BATCH, CODE, MARKS, Array, Descriptors, marks

_SCALE = 254  # codes are unit vectors of 54: beyond one half is rare, and clipped
SHAPES = {"codes": (3, CODE), "windows": (4,), "marks": (-(-MARKS // 8),)}  # of one image


def to_compact(descriptors: Descriptors) -> dict[str, Array]:
    """All of a descriptor that is passed on.

    Codes (N, 3, CODE) int8, windows (N, 4) uint8, marks (N, MARKS / 8 rounded up) packed bits.
    """
    windows = np.rint(descriptors.windows * 255).astype(np.uint8)
    codes = np.clip(np.rint(descriptors.codes * _SCALE), -127, 127).astype(np.int8)
    signs = descriptors.marks
    if signs is None:
        assert descriptors.frames is not None
        places = windows.astype(np.float32) / 255
        parts = [
            marks(descriptors.frames[at : at + BATCH], places[at : at + BATCH])
            for at in range(0, len(codes), BATCH)
        ]
        signs = np.concatenate([np.zeros((0, MARKS), np.int8), *parts])
    return {"codes": codes, "windows": windows, "marks": np.packbits(signs > 0, axis=1)}


def from_compact(codes: Array, windows: Array, marks: Array) -> Descriptors:
    """Compact descriptors again, from `to_compact`'s arrays."""
    values = codes.astype(np.float32)
    values /= np.maximum(np.linalg.norm(values, axis=2, keepdims=True), 1)
    bits = np.unpackbits(marks, axis=1, count=MARKS).astype(np.int8)
    return Descriptors(values, windows.astype(np.float32) / 255, marks=bits * 2 - 1)
