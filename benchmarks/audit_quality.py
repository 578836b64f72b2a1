"""What the quality flags find and what they accuse: rates on real scans, recall of planted faults.

    python -m benchmarks audit-quality
    python -m benchmarks.audit_quality [-o quality.json] [--every 8]    tables of everything

Needs the shared data ($BRAINLENS_SHARED). Rates are over every picture of the four sets of brain
MRI and of the sets of photos and paintings; faults are planted in every n-th scan. Speed is the
time of all measures over the time of decoding the same files, in one process.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from brainlens.core.images import find_images, open_image, read_grey, to_grey
from brainlens.core.places import shared_folder
from brainlens.core.seeding import generator
from brainlens.data.measures import colourfulness
from brainlens.data.quality import CHECKS, flagged, measure

SLICES = {name: f"mri/{name}" for name in ("sartaj", "figshare_extra", "navoneel", "br35h_unique")}
OTHERS = {
    "Set5": "sr/Set5",
    "Set14": "sr/Set14",
    "Van Gogh": "vangogh2photo/trainA_vangogh",
    "photos": "vangogh2photo/trainB_photo",
}

GREY = "not a slice in grey"  # what `not-a-slice` would find if it saw no colour

Plant = Callable[[Image.Image], Image.Image]


def blur(percent: float) -> Plant:
    """Gaussian blur; sigma in per cent of the longer side."""
    return lambda image: image.filter(ImageFilter.GaussianBlur(percent / 100 * max(image.size)))


def noisy_blur(image: Image.Image) -> Image.Image:
    """A blurred picture with fresh noise of 4 grey levels on it."""
    levels = np.asarray(blur(1.0)(image), np.float64)
    levels += generator("noise").normal(0, 4, levels.shape)
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8))


def enlarged(pixels: int) -> Plant:
    """Brought down to `pixels` on the longer side and back up: detail lost, size kept."""

    def plant(image: Image.Image) -> Image.Image:
        return ImageOps.contain(image, (pixels, pixels)).resize(
            image.size, Image.Resampling.BICUBIC
        )

    return plant


def framed(share: float, level: int) -> Plant:
    """A frame of one grey level; its width as a share of the shorter side, at least a pixel."""

    def plant(image: Image.Image) -> Image.Image:
        return ImageOps.expand(image, max(1, round(share * min(image.size))), level)

    return plant


def lettered(text: str, where: tuple[float, float], height: float = 0.05) -> Plant:
    """White text; its place and height as shares of the picture."""

    def plant(image: Image.Image) -> Image.Image:
        done = image.copy()
        font = ImageFont.load_default(max(10, round(height * image.height)))
        place = (where[0] * image.width, where[1] * image.height)
        ImageDraw.Draw(done).text(place, text, fill=255, font=font)
        return done

    return plant


def constant(image: Image.Image) -> Image.Image:
    """Mid grey with noise of 2 grey levels."""
    noise = generator("constant").normal(128, 2, (image.height, image.width))
    return Image.fromarray(noise.astype(np.uint8))


# name: (the flag that must rise, how the fault is planted)
PLANTS: dict[str, tuple[str, Plant]] = {
    "constant grey, noise of 2 levels": ("blank", constant),
    "brightness x 0.1": ("dark", lambda image: image.point([i // 10 for i in range(256)])),
    "blur, sigma 0.5 % of the side": ("blurred", blur(0.5)),
    "blur, sigma 0.75 %": ("blurred", blur(0.75)),
    "blur, sigma 1 %": ("blurred", blur(1.0)),
    "blur, sigma 2 %": ("blurred", blur(2.0)),
    "blur, sigma 1 %, then noise of 4 levels": ("blurred", noisy_blur),
    "down to 64 px and up again": ("blurred", enlarged(64)),
    "down to 100 px": ("tiny", lambda image: ImageOps.contain(image, (100, 100))),
    "two slices side by side": (
        "odd-size",
        lambda image: ImageOps.expand(image, (0, 0, max(image.size) * 2 - image.width, 0)),
    ),
    "white frame, 1 px": ("border", framed(0, 255)),
    "white frame, 2 %": ("border", framed(0.02, 255)),
    "white frame, 8 %": ("border", framed(0.08, 255)),
    "grey frame, 2 %": ("border", framed(0.02, 110)),
    "a line of text in a corner": ("text", lettered("SE 4 IM 12", (0.02, 0.02))),
    "one letter in a corner": ("text", lettered("R", (0.03, 0.9))),
    "small text, 3 % high": ("text", lettered("2019-04-01", (0.02, 0.95), 0.03)),
    "text across the head": ("text", lettered("TUMOUR", (0.35, 0.45))),
    "negative": ("inverted", ImageOps.invert),
}


def rates(folder: Path) -> tuple[dict[str, float], list[str]]:
    """Share of a folder's pictures with each flag, and the paths said to be no slices."""
    found: Counter[str] = Counter()
    strange: list[str] = []
    files = find_images(folder)
    for file in files:
        image = open_image(file)
        grey, colour = to_grey(image), colourfulness(image)
        flags = flagged(measure(grey, colour=colour))
        bare = flagged(measure(grey)) if colour else flags
        found[GREY] += "not-a-slice" in bare
        found.update(list(flags))
        found["unfit"] += any(CHECKS[name].drop for name in flags)
        if "not-a-slice" in flags:
            strange.append(file.relative_to(folder).as_posix())
    shares = {name: found[name] / len(files) for name in [*CHECKS, "unfit", GREY]}
    return {"images": len(files), **shares}, strange


def recall(files: list[Path]) -> dict[str, dict[str, float]]:
    """For every fault: the share of scans whose flag rises, and the share that had it before."""
    table: defaultdict[str, dict[str, float]] = defaultdict(lambda: {"found": 0, "before": 0})
    for file in files:
        grey = read_grey(file)
        before = flagged(measure(grey))
        for name, (flag, plant) in PLANTS.items():
            after = flagged(measure(np.asarray(plant(Image.fromarray(grey)))))
            table[name]["found"] += (flag in after) / len(files)
            table[name]["before"] += (flag in before) / len(files)
    return dict(table)


def speed(files: list[Path]) -> dict[str, float]:
    """Milliseconds a picture of decoding and of measuring, least of three, and their ratio."""
    decode, judge = [], []
    for _ in range(3):
        start = time.process_time()
        pictures = [read_grey(file) for file in files]
        middle = time.process_time()
        for grey in pictures:
            measure(grey)
        decode.append((middle - start) / len(files) * 1000)
        judge.append((time.process_time() - middle) / len(files) * 1000)
    return {
        "decode_ms": min(decode), "measure_ms": min(judge), "ratio": min(judge) / min(decode)
    }  # fmt: skip


def measure_rows(quick: bool) -> list[dict[str, Any]]:
    """Rates of unfit pictures, recall of planted faults, and time against decoding."""
    shared = shared_folder()
    if shared is None:
        return [{"what": "left out: no shared data (BRAINLENS_SHARED)"}]
    data = shared / "data"
    rows: list[dict[str, Any]] = []
    for name, folder in {**SLICES, **OTHERS}.items():
        if quick and name != "Set5":
            continue
        found, _ = rates(data / folder)
        wanted = "few" if name in SLICES else "most"
        rows.append(
            {"what": f"unfit: {name}", "ours": found["unfit"], "unit": "share", "wanted": wanted,
             **found}
        )  # fmt: skip
    scans = [file for folder in SLICES.values() for file in find_images(data / folder)]
    for name, found in recall(scans[:: 1000 if quick else 8]).items():
        flag = PLANTS[name][0]
        rows.append({"what": f"planted: {name} -> {flag}", "ours": found["found"], "unit": "recall",
                     "before": found["before"]})  # fmt: skip
    spent = speed(scans[:: 1000 if quick else 20])
    rows.append(
        {"what": "all measures against decoding", "ours": spent["measure_ms"], "unit": "ms",
         "baseline": spent["decode_ms"], "ratio": spent["ratio"]}
    )  # fmt: skip
    return rows


def main() -> None:
    """Measure everything, print the tables, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", type=Path, help="where the JSON goes")
    parser.add_argument("--every", type=int, default=8, help="plant faults in every n-th scan")
    parser.add_argument("--rates", action="store_true", help="only the rates")
    asked = parser.parse_args()
    shared = shared_folder()
    if shared is None:
        raise SystemExit("needs the shared data: set BRAINLENS_SHARED")
    data = shared / "data"
    result: dict[str, Any] = {"rates": {}, "not-a-slice": {}}
    print("flag".ljust(20), *(name.rjust(15) for name in [*SLICES, *OTHERS]))
    for name, folder in {**SLICES, **OTHERS}.items():
        result["rates"][name], strange = rates(data / folder)
        if name in SLICES:
            result["not-a-slice"][name] = strange
    for flag in ["images", *CHECKS, "unfit", GREY]:
        row = [result["rates"][name][flag] for name in [*SLICES, *OTHERS]]
        cells = [f"{v:15d}" if flag == "images" else f"{v:15.2%}" for v in row]
        print(flag.ljust(20), *cells)
    if not asked.rates:
        more(result, data, asked.every)
    if asked.o:
        asked.o.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
        print(f"wrote {asked.o}")


def more(result: dict[str, Any], data: Path, every: int) -> None:
    """Recall of planted faults, and speed."""
    scans = [file for folder in SLICES.values() for file in find_images(data / folder)]
    planted = scans[::every]
    result["recall"] = {"scans": len(planted), **recall(planted)}
    print(f"\nfault planted in {len(planted)} scans".ljust(44), "flag".rjust(9), "found", "before")
    for name, (flag, _) in PLANTS.items():
        row = result["recall"][name]
        print(name.ljust(43), flag.rjust(9), f"{row['found']:6.1%} {row['before']:6.1%}")
    result["speed"] = speed(scans[::20])
    print("\n" + ", ".join(f"{name} {value:.2f}" for name, value in result["speed"].items()))


if __name__ == "__main__":
    main()
