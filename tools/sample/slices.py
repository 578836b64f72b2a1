"""Owns the slices of the synthetic patients: who they are, how each is cut and scanned.

Contrast, plane, level, stripping and size have one distribution in every class: a patient without
a lesion is cut where one of the three tumours would have been, and only the lesion is not drawn.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from tools.sample.anatomy import (
    Array,
    Field,
    Template,
    bend,
    brain,
    cover,
    head,
    sella,
    smooth_noise,
)
from tools.sample.lesions import LESIONS, Lesion

LABELS = ("glioma", "meningioma", "pituitary", "none")
PLANES = ("axial", "coronal", "sagittal")
PATIENTS = 20  # of each class
SLICES = (0.0, 0.55, -0.55)  # of each patient: offsets from the middle, in radii of the lesion
SMALLEST = 0.01  # share of the picture a lesion covers at least, or most of what its middle covers
MOST = 0.6  # of the middle's share
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
    middle = cut(seen, it, template, 0.0, fov, shift, mirror)[1].mean()
    least = min(SMALLEST, MOST * middle)
    for place in SLICES:
        offset = (place + rng.uniform(-0.1, 0.1)) * it.lesion.radius
        while abs(offset) > 0.1 and (
            cut(seen, it, template, offset, fov, shift, mirror)[1].mean() < least
        ):
            offset *= 0.7
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
