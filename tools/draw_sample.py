"""Draw the embedded sample: SYNTHETIC slices with simulated lesions.

Owns how the sample is made. In: the MNI152 T1, grey- and white-matter templates of the nilearn
wheel (ICBM 2009a non-linear symmetric) and a seed. Out: class folders of greyscale JPEG files and
`manifest.csv`. No picture shows a patient. Needs nilearn, scipy and Pillow:

    python tools/draw_sample.py -o src/brainlens/data/sample --seed 0

Coordinates `p` are MNI millimetres, shape (N, 3); "signed" distances are positive inside.
Contrast, plane, level, stripping and size have one distribution in every class: a patient without
a lesion is cut where one of the three tumours would have been, and only the lesion is not drawn.
"""

import argparse
import csv
import io
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from nilearn import datasets
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Array = NDArray[np.float64]
Field = Callable[[Array], Array]
Change = Callable[[Image.Image], Image.Image]
Layers = list[tuple[str, Array]]  # (tissue, opacity): each is painted over those before it

LABELS = ("glioma", "meningioma", "pituitary", "none")
PLANES = ("axial", "coronal", "sagittal")
PATIENTS = 20  # of each class
SLICES = (0.0, 0.55, -0.55)  # of each patient: offsets from the middle, in radii of the lesion
QUALITY = 80
SMALLEST = 0.0016  # share of the picture a lesion covers at least

# Relative brightness by sequence, after the usual textbook appearance of each tissue.
SEQUENCES = ("t1c", "t1", "t2", "flair")
BRIGHTNESS = {
    "air": (0.01, 0.01, 0.01, 0.01),
    "csf": (0.15, 0.14, 0.96, 0.08),
    "grey": (0.36, 0.46, 0.58, 0.56),
    "white": (0.50, 0.68, 0.37, 0.42),
    "bone": (0.06, 0.06, 0.05, 0.05),
    "marrow": (0.36, 0.50, 0.34, 0.30),
    "fat": (0.46, 0.66, 0.70, 0.52),
    "muscle": (0.36, 0.30, 0.22, 0.28),
    "dura": (0.40, 0.30, 0.20, 0.25),
    "sinus": (0.56, 0.20, 0.10, 0.12),
    "gland": (0.56, 0.50, 0.50, 0.50),
    "eye": (0.17, 0.16, 0.95, 0.15),
    "patch": (0.42, 0.55, 0.72, 0.80),  # small vessel change of the white matter, in every class
    "necrosis": (0.17, 0.24, 0.88, 0.42),
    "rim": (0.98, 0.44, 0.60, 0.70),
    "oedema": (0.28, 0.40, 0.80, 0.80),
    "lowgrade": (0.25, 0.31, 0.86, 0.86),
    "meningioma": (0.94, 0.40, 0.64, 0.72),
    "adenoma": (0.92, 0.42, 0.64, 0.70),
    "cleft": (0.16, 0.15, 0.95, 0.10),
}


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


@dataclass(frozen=True)
class Lesion:
    centre: Array
    radius: float  # mm, about
    push: float  # share by which the tissue round the lesion is displaced
    paint: Callable[[Array, Array, Array], Layers]  # of p, white matter there, depth there


@dataclass(frozen=True)
class Patient:
    """What is drawn by lot for one patient, but for the contents."""

    name: str
    label: str
    site: str  # the tumour whose place is cut; the label itself but for "none"
    sequence: str
    plane: str
    stripped: bool
    width: int
    height: int
    seed: tuple[int, int]


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


@dataclass(frozen=True)
class Contents:
    """One patient's head, ready to be cut."""

    to_template: Field
    lesion: Lesion  # where to cut, and what to draw unless the label is "none"
    noises: tuple[Field, Field, Field]
    bias: Field
    brightness: dict[str, float]
    scalp: float
    aged: float

    def centre(self) -> Array:
        """The lesion's centre in the patient's space: the fixed point of q + c - to_template(q)."""
        q = self.lesion.centre.copy()
        for _ in range(8):
            q = q + self.lesion.centre - self.to_template(q[None])[0]
        return q


def contents(patient: Patient, template: Template) -> Contents:
    rng = np.random.default_rng(patient.seed)
    column = SEQUENCES.index(patient.sequence)
    brightness = {k: v[column] * rng.uniform(0.92, 1.08) for k, v in BRIGHTNESS.items()}
    return Contents(
        bend(rng, template),
        LESIONS[patient.site](rng, template),
        (smooth_noise(rng, 12), smooth_noise(rng, 6), smooth_noise(rng, 5)),
        smooth_noise(rng, rng.uniform(90, 150)),
        brightness,
        rng.uniform(13, 18),
        rng.uniform(1.2, 3.0),
    )


def intensity(q: Array, patient: Patient, it: Contents, template: Template) -> tuple[Array, Array]:
    """Brightness and lesion opacity at points `q` of the patient's space."""
    p = it.to_template(q)
    depth, moved, drawn = template.sample_depth(p), p, patient.label != "none"
    if drawn:
        away = p - it.lesion.centre
        reach = np.exp(-((away / (1.4 * it.lesion.radius)) ** 2).sum(axis=1))
        moved = p - it.lesion.push * away * reach[:, None]
    grey, white = template.sample(template.grey, moved), template.sample(template.white, moved)
    patches = 0.8 * cover(it.noises[2](p) - it.aged, 0.6) * np.clip(2 * white - 1, 0, 1)
    layers = head(p, depth, it.noises[0], it.noises[1], it.scalp)
    layers += [*brain(p, depth, grey, white), ("patch", patches), *sella(p, depth)]
    tumour = it.lesion.paint(p, white, depth) if drawn else []
    value = np.full(len(p), it.brightness["air"])
    for tissue, opacity in layers + tumour:
        value += opacity * (it.brightness[tissue] - value)
    solid = [a for tissue, a in tumour if tissue not in ("oedema", "cleft")]
    lesion = np.maximum.reduce(solid) if solid else np.zeros(len(p))
    if patient.stripped:
        value *= np.maximum(cover(depth + 1), lesion)
    return value * np.exp(0.11 * it.bias(q)), lesion


def cut(patient: Patient, it: Contents, template: Template, offset: float, fov: float, shift: Array,
        mirror: bool) -> tuple[Array, Array]:  # fmt: skip
    """One slice (H x W), the mean of two through its thickness, and the lesion's opacity in it."""
    v, u = np.mgrid[: patient.height, : patient.width].astype(float)
    mm = fov / max(patient.height, patient.width)
    u = (u - patient.width / 2) * mm * (-1 if mirror else 1) + shift[0]
    v = -(v - patient.height / 2) * mm + shift[1]
    level, total, lesion = it.centre(), np.zeros(u.size), np.zeros(u.size)
    for thick in (-1.0, 1.0):
        w = np.full_like(u, offset + thick)
        axes = {
            "axial": (u, v - 18, w + level[2]),
            "coronal": (u, w + level[1], v + 4),
            "sagittal": (w + level[0], u - 14, v + 2),
        }[patient.plane]
        value, part = intensity(np.stack([a.ravel() for a in axes], axis=1), patient, it, template)
        total, lesion = total + value / 2, lesion + part / 2
    return total.reshape(u.shape), lesion.reshape(u.shape)


def scan(image: Array, rng: np.random.Generator, blur: float, noise: float, gamma: float) -> Array:
    """A magnitude image of the slice as 0-255: blur, Rician noise, window, gamma."""
    image = ndimage.gaussian_filter(image, blur)
    real, imaginary = rng.normal(0, noise, (2, *image.shape))
    image = np.hypot(image + real, imaginary)
    top = rng.uniform(0.90, 1.08)  # not the image's own maximum: a lesion would dim the rest
    return np.round(255 * np.clip(image / top, 0, 1) ** gamma)


def draw(patient: Patient, template: Template) -> Iterator[Array]:
    """The pixels (H x W, 0-255) of every slice of a patient."""
    it, rng = contents(patient, template), np.random.default_rng((*patient.seed, 1))
    fov, shift = rng.uniform(186, 232), rng.normal(0, 4, 2)
    blur, noise, gamma = rng.uniform(0.35, 0.8), rng.uniform(0.018, 0.034), rng.uniform(0.8, 1.15)
    mirror = rng.random() < 0.5
    seen = replace(patient, label=patient.site, width=48, height=48)  # "none" is cut as its site is
    for place in SLICES:
        offset = (place + rng.uniform(-0.1, 0.1)) * it.lesion.radius
        for _ in range(8):
            if cut(seen, it, template, offset, fov, shift, mirror)[1].mean() >= SMALLEST:
                break
            offset *= 0.7
        else:
            raise RuntimeError(f"{patient.name}: no {patient.plane} slice shows the {patient.site}")
        moved = shift + rng.normal(0, 1.5, 2)  # nobody lies quite still
        pixels, _ = cut(patient, it, template, offset, fov, moved, mirror)
        yield scan(pixels, rng, blur, noise, gamma)


def design(seed: int) -> list[Patient]:
    """Every class gets the same lots of sequence, plane, stripping, size, in its own order."""
    patients = []
    sizes = [(128, 128), (144, 144), (136, 160), (152, 152), (144, 128)] * 4
    for row, label in enumerate(LABELS):
        rng = np.random.default_rng((seed, 1000 + row))
        sequences = rng.permutation(["t1c"] * 14 + ["t1"] * 2 + ["t2"] * 2 + ["flair"] * 2)
        planes = rng.permutation(["axial"] * 8 + ["coronal"] * 6 + ["sagittal"] * 6)
        stripped = rng.permutation([True] * 7 + [False] * 13)
        sites = (
            rng.permutation((LABELS[:3] * 7)[:PATIENTS]) if label == "none" else [label] * PATIENTS
        )
        dealt = rng.permutation(PATIENTS)
        for k in range(PATIENTS):
            number = row * PATIENTS + k + 1
            width, height = sizes[dealt[k]]
            patients.append(
                Patient(f"P{number:02d}", label, str(sites[k]), str(sequences[k]), str(planes[k]),
                        bool(stripped[k]), width, height, (seed, number))
            )  # fmt: skip
    return patients


def jpeg(image: Image.Image, quality: int = QUALITY) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()


def flip(how: Image.Transpose) -> Change:
    return lambda image: image.transpose(how)


def resize(by: float) -> Change:
    return lambda i: i.resize((round(i.width * by), round(i.height * by)), Image.Resampling.LANCZOS)


def brighten(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.clip(np.asarray(image) * 1.12 + 8, 0, 255).astype(np.uint8))


def again(image: Image.Image) -> Image.Image:
    return image


MIRROR, UPSIDE_DOWN, QUARTER_TURN = map(
    flip,
    (
        Image.Transpose.FLIP_LEFT_RIGHT,
        Image.Transpose.FLIP_TOP_BOTTOM,
        Image.Transpose.ROTATE_90,
    ),
)

# Planted on purpose: (class and patient of the original, its n-th slice, class it is filed under,
# what was done to it, how, JPEG quality). The last two are exact copies, the one before them is
# the one label conflict.
PLANTS: tuple[tuple[str, int, int, str, str, Change | None, int], ...] = (
    ("glioma", 2, 0, "glioma", "mirrored", MIRROR, QUALITY),
    ("glioma", 7, 1, "glioma", "re-encoded at JPEG quality 40", again, 40),
    ("meningioma", 4, 0, "meningioma", "rotated by 90 degrees", QUARTER_TURN, QUALITY),
    ("pituitary", 3, 1, "pituitary", "resized to 85 %", resize(0.85), QUALITY),
    ("pituitary", 9, 0, "pituitary", "brightened", brighten, QUALITY),
    ("none", 5, 0, "none", "turned upside down", UPSIDE_DOWN, QUALITY),
    ("none", 11, 2, "none", "resized to 110 %", resize(1.1), QUALITY),
    ("meningioma", 10, 0, "pituitary", "resized to 92 %", resize(0.92), QUALITY),
    ("glioma", 12, 0, "glioma", "", None, QUALITY),
    ("none", 8, 1, "none", "", None, QUALITY),
)


def file_all(out: Path, seed: int) -> list[dict[str, str]]:
    """Write every picture under `out` and return the manifest's rows."""
    template, rows, counts = load_template(), list[dict[str, str]](), dict.fromkeys(LABELS, 0)

    def add(label: str, data: bytes, **columns: str) -> None:
        counts[label] += 1
        file = f"{label}/{label}-{counts[label]:03d}.jpg"
        (out / label).mkdir(parents=True, exist_ok=True)
        (out / file).write_bytes(data)
        empty = {"patient": "", "near_dup_group": "", "note": ""}
        rows.append({"file": file, "label": label, **empty, **columns})

    for patient in design(seed):
        for pixels in draw(patient, template):
            image = Image.fromarray(pixels.astype(np.uint8))
            add(patient.label, jpeg(image), patient=patient.name, plane=patient.plane)
    for group, plant in enumerate(PLANTS, start=1):
        source, nth_patient, nth, label, change, make, quality = plant
        name = f"P{LABELS.index(source) * PATIENTS + nth_patient:02d}"
        original = [row for row in rows if row["patient"] == name][nth]
        original["near_dup_group"] = f"twin-{group:02d}"
        data = (out / original["file"]).read_bytes()
        note = f"planted: exact copy of {original['file']}"
        if make is not None:
            data = jpeg(make(Image.open(io.BytesIO(data))), quality)
            kind = "label conflict, twin" if label != source else "near twin"
            note = f"planted: {kind} of {original['file']}, {change}"
        add(label, data, plane=original["plane"], near_dup_group=f"twin-{group:02d}", note=note)
    return sorted(rows, key=lambda row: row["file"])


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the embedded synthetic sample.")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder the sample goes to")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for label in LABELS:
        shutil.rmtree(arguments.out / label, ignore_errors=True)
    rows = file_all(arguments.out, arguments.seed)
    with (arguments.out / "manifest.csv").open("w", newline="") as file:
        columns = ["file", "label", "patient", "plane", "near_dup_group", "note"]
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    size = sum(path.stat().st_size for path in arguments.out.rglob("*.jpg"))
    print(f"wrote {len(rows)} pictures, {size / 1e6:.2f} MB, to {arguments.out}")


if __name__ == "__main__":
    main()
