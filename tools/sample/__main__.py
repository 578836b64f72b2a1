"""Draw the embedded sample: SYNTHETIC slices with simulated lesions.

Owns the sample's files: class folders of greyscale JPEG, the planted faults, `manifest.csv`. No
picture shows a patient. Needs nilearn, scipy and Pillow:

    python -m tools.sample -o src/brainlens/data/sample --seed 0
"""

import argparse
import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tools.sample.anatomy import load_template
from tools.sample.slices import LABELS, PATIENTS, design, draw

Change = Callable[[Image.Image], Image.Image]
QUALITY = 80


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
