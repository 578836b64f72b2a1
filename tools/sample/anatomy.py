"""Owns the head that every synthetic patient is bent from: brain, skull, scalp, face, sella.

Enters: the MNI152 T1, grey- and white-matter templates of the nilearn wheel (ICBM 2009a non-linear
symmetric). Leaves: tissues with their opacity at any point. Coordinates `p` are MNI millimetres,
shape (N, 3); "signed" distances are positive inside.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from nilearn import datasets
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float64]
Field = Callable[[Array], Array]
Layers = list[tuple[str, Array]]  # (tissue, opacity): each is painted over those before it


@dataclass(frozen=True)
class Template:
    """The head all patients are bent from, 1 mm voxels, MNI origin at voxel `zero`."""

    grey: Array
    white: Array
    depth: Array  # signed distance to the brain's hull, 2 mm voxels, origin at `depth_zero`
    zero: Array
    depth_zero: Array

    def sample(self, volume: Array, p: Array) -> Array:
        return np.asarray(ndimage.map_coordinates(volume, (p + self.zero).T, order=1))

    def sample_depth(self, p: Array) -> Array:
        at = (p / 2 + self.depth_zero).T
        return np.asarray(ndimage.map_coordinates(self.depth, at, order=1, mode="nearest"))


def cover(signed: Array, soft: float = 1.4) -> Array:
    """Opacity of a region from its signed distance in mm, with an edge `soft` mm wide."""
    return np.clip(0.5 + signed / soft, 0, 1)


def ball(p: Array, centre: tuple[float, ...] | Array, axes: tuple[float, ...] | float) -> Array:
    """Signed distance (mm, about) to an ellipsoid."""
    size = np.broadcast_to(np.asarray(axes, dtype=float), (3,))
    return np.asarray((1 - np.linalg.norm((p - np.asarray(centre)) / size, axis=1)) * size.mean())


def smooth_noise(rng: np.random.Generator, spacing: float) -> Field:
    """Noise of mean 0 and deviation about 1 in space, with features of about `spacing` mm."""
    grid, start = rng.standard_normal((16, 16, 16)), rng.uniform(0, 16, 3)

    def at(p: Array) -> Array:
        where = (p / spacing + start).T
        return 3 * np.asarray(
            ndimage.map_coordinates(grid, where, order=3, mode="grid-wrap", prefilter=False)
        )

    return at


def fractal(rng: np.random.Generator, spacing: float) -> Field:
    """Three octaves of `smooth_noise`: the ragged border of what infiltrates."""
    octaves = [(0.5**k, smooth_noise(rng, spacing * 0.5**k)) for k in range(3)]
    return lambda p: sum((weight * noise(p) for weight, noise in octaves), np.zeros(len(p)))


def load_template() -> Template:
    image = datasets.load_mni152_template(resolution=1)
    brain = np.asarray(image.dataobj) > 0.02
    grey = np.asarray(datasets.load_mni152_gm_template(resolution=1).dataobj, dtype=float)
    white = np.asarray(datasets.load_mni152_wm_template(resolution=1).dataobj, dtype=float)
    room = 40  # voxels of 2 mm beyond the template, for the head and the neck
    small = np.pad(brain[::2, ::2, ::2], room)
    outside = ndimage.distance_transform_edt(~small)  # closing by distance: fissures are inside
    hull = ndimage.distance_transform_edt(outside <= 7) > 7
    inner, outer = (ndimage.distance_transform_edt(m) for m in (hull, ~hull))
    zero = -np.asarray(image.affine)[:3, 3]
    smooth = ndimage.gaussian_filter(2.0 * (inner - outer), 1)
    return Template(grey, white, smooth, zero, zero / 2 + room)


def bend(rng: np.random.Generator, template: Template) -> Field:
    """A map from one patient's space to the template's: affine, elastic, ventricles of own size."""
    angles, scale = np.radians(rng.normal(0, [5, 4, 5])), rng.uniform(0.93, 1.07, 3)
    matrix = np.diag(1 / scale)
    for axis, angle in enumerate(angles):
        i, j = [k for k in range(3) if k != axis]
        turn = np.eye(3)
        turn[[i, i, j, j], [i, j, i, j]] = (
            np.cos(angle),
            -np.sin(angle),
            np.sin(angle),
            np.cos(angle),
        )
        matrix = matrix @ turn
    waves = [
        (amplitude, [smooth_noise(rng, spacing) for _ in range(3)])
        for amplitude, spacing in ((4.0, 70.0), (1.6, 24.0), (0.7, 11.0))
    ]
    heart, swell = np.array([0.0, -15.0, 14.0]), rng.uniform(-0.35, 0.40)

    def to_template(q: Array) -> Array:
        p = q @ matrix.T
        coarse, *fine = (a * np.stack([w(q) for w in axes], axis=1) for a, axes in waves)
        p = p + coarse
        # Gyri differ in detail; the skull round them stays smooth.
        inside = np.clip(1 + template.sample_depth(p) / 7, 0.2, 1)[:, None]
        p = p + inside * sum(fine)
        away = p - heart
        near = np.exp(-((away / [26, 44, 26]) ** 2).sum(axis=1))[:, None]
        return np.asarray(p - swell * away * near)

    return to_template


def brain(p: Array, depth: Array, grey: Array, white: Array) -> Layers:
    """What lies within the hull: fluid, grey and white matter, the falx."""
    csf = np.clip(1 - grey - white, 0, 1)
    falx = np.exp(-((p[:, 0] / 1.1) ** 2)) * csf * cover(p[:, 2] - 20, 20)
    plexus = sum(cover(ball(p, (x, -38, 12), (4, 6, 6)), 3) for x in (-22, 22)) * csf
    return [
        ("csf", cover(depth + 2.2)),
        ("grey", np.clip(1.25 * (grey + white) - 0.1, 0, 1) * cover(depth)),
        ("white", np.clip(1.3 * white / np.maximum(grey + white, 0.2) - 0.15, 0, 1) * cover(depth)),
        ("dura", 0.7 * falx * cover(depth)),
        ("sinus", 0.8 * plexus * cover(depth)),
    ]


def head(p: Array, depth: Array, noise: Field, fine: Field, scalp: float) -> Layers:
    """What lies round the brain: scalp, skull, face and neck, roughly; the sella with its gland."""
    x, y, z = p.T
    grain = fine(p)
    neck = 58 - np.hypot(x, (y + 30) * 0.9) - 1.2 * np.maximum(z + 70, 0)
    face = np.maximum(ball(p, (0, 22, -58), (62, 70, 72)), ball(p, (0, 92, -52), (13, 18, 22)))
    skin = np.maximum.reduce([depth + scalp, face, neck])
    fat = cover(skin - 1.5) * cover(5 + 2 * noise(p) - skin, 2)
    bone, inner = -depth - 3.0, 4.0 + 1.2 * noise(p)
    both = np.array([1, -1])

    def pair(centre: tuple[float, float, float], axes: tuple[float, ...] | float) -> Array:
        sides = [ball(p, (s * centre[0], centre[1], centre[2]), axes) for s in both]
        return cover(np.maximum(*sides))

    return [
        ("muscle", cover(skin)),
        ("fat", 0.55 * cover(skin - 7, 4) * cover(grain - 0.7, 0.8)),
        ("fat", fat),
        ("fat", pair((31, 56, -34), (17, 24, 15))),
        ("muscle", 0.8 * pair((33, 44, -34), (4, 17, 4))),
        ("eye", pair((32, 64, -34), 12)),
        ("bone", cover(bone) * cover(7.5 - bone) * cover(skin - 3)),
        ("marrow", cover(bone - 1.5) * cover(1.5 + inner - bone) * cover(skin - 5)),
        ("bone", cover(ball(p, (0, 8, -46), (18, 24, 13)))),
        ("marrow", cover(ball(p, (0, -13, -50), (10, 8, 15)) + grain)),
        ("air", cover(ball(p, (0, 20, -49), (13, 12, 9)) + 0.6 * grain)),
        ("air", cover(ball(p, (0, 2, -78), (13, 9, 22)) + grain)),
        ("air", pair((6, 48, -60), (4, 24, 15))),
        ("air", pair((28, 42, -66), (12, 14, 14))),
        ("air", 0.8 * pair((48, -24, -46), (9, 12, 8))),
        ("bone", 0.8 * cover(ball(p, (0, -52, -110), (17, 15, 42)) + grain)),
        ("csf", cover(ball(p, (0, -50, -100), (10, 8, 46)))),
        ("grey", cover(ball(p, (0, -50, -100), (6, 5, 50)))),
    ]


def sella(p: Array, depth: Array) -> Layers:
    """The normal gland, its stalk and the vessels beside it; the large veins of the dura."""
    x, y, z = p.T
    gland = cover(np.maximum(ball(p, (0, 2, -34), (7, 5, 4)), ball(p, (0, 0, -25), (1.3, 1.3, 9))))
    vessels = np.maximum(ball(p, (14, 2, -34), (4, 8, 5)), ball(p, (-14, 2, -34), (4, 8, 5)))
    top = (
        cover(4 - np.abs(x), 2)
        * cover(depth + 5)
        * cover(1 - depth)
        * cover(z + 10, 10)
        * cover(20 - y, 30)
    )
    side = cover(4 - np.abs(z + 22), 3) * cover(depth + 5) * cover(1.5 - depth) * cover(-y - 60, 10)
    dura = np.exp(-(((depth + 2.6) / 0.7) ** 2)) * cover(depth + 5)
    return [
        ("dura", 0.6 * dura),
        ("sinus", np.maximum(top, side)),
        ("sinus", 0.7 * cover(vessels)),
        ("gland", gland),
    ]
