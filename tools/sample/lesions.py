"""Owns the simulated lesions: where each kind grows, and how it is painted over the tissue."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tools.sample.anatomy import Array, Layers, Template, ball, cover, fractal, smooth_noise


@dataclass(frozen=True)
class Lesion:
    centre: Array
    radius: float  # mm, about
    push: float  # share by which the tissue round the lesion is displaced
    paint: Callable[[Array, Array, Array], Layers]  # of p, white matter there, depth there


def glioma(rng: np.random.Generator, template: Template) -> Lesion:
    """In the white matter: ragged enhancing ring, dark core, oedema along the white matter."""
    deep = (template.white > 0.85)[::2, ::2, ::2]
    places = np.argwhere(deep) * 2.0 - template.zero
    places = places[(np.abs(places[:, 0]) > 14) & (places[:, 2] > -8) & (places[:, 2] < 46)]
    places = places[(places[:, 1] > -72) & (places[:, 1] < 42)]
    places = places[template.sample_depth(places) > 14]
    centre = places[rng.integers(len(places))]
    radius, axes = rng.uniform(17, 25), rng.uniform(0.8, 1.2, 3)
    border, inner, fingers = fractal(rng, 17), fractal(rng, 10), fractal(rng, 14)
    wall, swelling = rng.uniform(0.18, 0.38), rng.uniform(0.5, 1.0)
    low_grade = rng.random() < 0.12
    ways = rng.standard_normal((300, 3))
    around = centre + radius * axes * ways / np.linalg.norm(ways, axis=1)[:, None]
    level = border(around).mean()  # the noise shapes the border, the radius alone sizes the tumour

    def paint(p: Array, white: Array, depth: Array) -> Layers:
        s = 1 - np.linalg.norm((p - centre) / (radius * axes), axis=1) + 0.21 * (border(p) - level)
        inside = cover(depth, 3)
        oedema = cover((s + swelling + 0.22 * fingers(p)) * radius, 7) * np.clip(
            1.5 * white, 0.15, 1
        )
        if low_grade:
            solid = cover(s * radius, 5)
            return [("oedema", 0.5 * oedema * inside), ("lowgrade", 0.9 * solid * inside)]
        core = cover((s - wall - 0.15 * inner(p)) * radius, 4.5)
        rim = cover(s * radius, 3.0) * np.clip(0.75 + 0.25 * inner(p), 0.25, 1)
        return [
            ("oedema", 0.9 * oedema * inside),
            ("rim", rim * inside),
            ("necrosis", core * inside),
        ]

    return Lesion(centre, radius, 0.30, paint)


def meningioma(rng: np.random.Generator, template: Template) -> Lesion:
    """On the dura of the vault or of the falx: round, even, broad base, a cleft and a tail."""
    radius, grain, lobes = rng.uniform(14, 22), smooth_noise(rng, 7), smooth_noise(rng, 14)
    if falx := rng.random() < 0.3:
        side = rng.choice([-1.0, 1.0])
        centre = np.array([side * radius * 0.55, rng.uniform(-60, 45), rng.uniform(38, 52)])
    else:
        surface = np.argwhere(np.abs(template.depth) < 1.2)
        shell = (surface - template.depth_zero) * 2
        shell = shell[(shell[:, 2] > -12) & (shell[:, 2] < 62) & (np.abs(shell[:, 0]) > 18)]
        shell = shell[(shell[:, 1] > -78) & (shell[:, 1] < 48)]
        base = shell[rng.integers(len(shell))]
        step = np.eye(3) * 3
        slope = np.array(
            [np.diff(template.sample_depth(np.stack([base - e, base + e])))[0] for e in step]
        )
        centre = base + slope / np.linalg.norm(slope) * radius * rng.uniform(0.45, 0.65)

    def paint(p: Array, white: Array, depth: Array) -> Layers:
        s = ball(p, centre, radius) + 1.2 * lobes(p)
        to_dura = p[:, 0] * side - 0.5 if falx else depth + 2.0  # the dura lies 2 mm off the hull
        wall = cover(to_dura) * cover(depth + 2.0)
        tail = np.exp(-((to_dura / 1.6) ** 2)) * cover(s + 0.75 * radius, 8) * wall
        solid = cover(s) * wall
        cleft = cover(s + 1.6, 2.0) * wall * cover(to_dura - 3, 3)
        return [
            ("cleft", 0.75 * cleft * cover(depth + 1)),
            ("meningioma", 0.8 * tail),
            ("meningioma", solid * np.clip(0.92 + 0.06 * grain(p), 0.7, 1)),
        ]

    return Lesion(centre, radius, 0.34, paint)


def adenoma(rng: np.random.Generator, template: Template) -> Lesion:
    """In the sella, on the midline, small to medium, even; the larger ones rise above it."""
    width, rise = rng.uniform(11, 15), rng.uniform(0.0, 9.0)
    low = np.array([rng.normal(0, 1.2), 3.0 + rng.normal(0, 1), -33.0])
    high = low + np.array([rng.normal(0, 1.5), rng.normal(0, 1), 4 + rise])
    lobes, cyst = smooth_noise(rng, 9), low + rng.normal(0, 4, 3)
    cystic = rng.random() < 0.25

    def paint(p: Array, white: Array, depth: Array) -> Layers:
        lower = ball(p, low, (width, 0.8 * width, 0.72 * width))
        upper = ball(p, high, (0.85 * width, 0.75 * width, 0.5 * width + 0.45 * rise))
        solid = cover(np.maximum(lower, upper) + 0.6 * lobes(p))
        layers = [
            ("cleft", 0.7 * cover(np.maximum(lower, upper) + 1.5, 2) * cover(depth)),
            ("adenoma", solid * np.clip(0.92 + 0.06 * lobes(p), 0.7, 1)),
        ]
        if cystic:
            layers.append(("necrosis", 0.7 * solid * cover(ball(p, cyst, 0.3 * width), 2)))
        return layers

    return Lesion((low + high) / 2, width, 0.25, paint)


LESIONS = {"glioma": glioma, "meningioma": meningioma, "pituitary": adenoma}
