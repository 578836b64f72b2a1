"""Owns the samples that the page offers: three drawn slices of one invented head for each class.

They were picked by eye and by the model in the box, which finds these lesions; of the other drawn
lesions it finds some, as the page says. None is a patient's (`data/sample/README.md`).
"""

from __future__ import annotations

from pathlib import Path

CASES = {
    "glioma": (43, 44, 45),
    "meningioma": (52, 53, 54),
    "pituitary": (4, 5, 6),
    "none": (25, 26, 27),
}


def samples() -> dict[str, Path]:
    """The pictures by name; the folder of each is its class."""
    from brainlens.data.sample import SAMPLE_DIR

    return {
        f"{label}-{number:03d}.jpg": SAMPLE_DIR / label / f"{label}-{number:03d}.jpg"
        for label, numbers in CASES.items()
        for number in numbers
    }
