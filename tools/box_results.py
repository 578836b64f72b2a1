"""Judges an export where its own test split cannot: `python -m tools.box_results MODEL INDEX OUT`.

Contrast scans of another hospital, with and without tumour (btp_01, btp_02: never trained or chosen
on); heat maps against the readers' outlines; pictures that are no brain slices; calibration and the
share of real slices refused, on the test rows of INDEX. Writes OUT (JSON) and prints it as tables.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nibabel
import numpy as np
import onnx
from PIL import Image, ImageDraw
from sklearn.metrics import roc_auc_score, roc_curve

from brainlens.core.files import write_json
from brainlens.core.images import find_images, read_grey
from brainlens.core.provenance import now, versions
from brainlens.core.scanfiles import find_scans
from brainlens.core.seeding import generator
from brainlens.data.answers import Answer, Finding
from brainlens.data.index import Index, Row, read_index
from brainlens.data.outlines import mask, read_outlines
from brainlens.data.preprocess import Array
from brainlens.data.scans import Picture, read_pictures
from brainlens.data.studies import in_context
from brainlens.deploy.classifier import Classifier
from brainlens.metrics.judgement import judge
from brainlens.report.columns import aligned

SHARED = Path(os.environ.get("BRAINLENS_SHARED", "../shared"))
CLEAR = 3  # slices from any tumour, and a slice counts as free of it
RESAMPLES = 2000


def main() -> None:
    """Judge and write."""
    model, index, out = Classifier(Path(sys.argv[1])), read_index(Path(sys.argv[2])), sys.argv[3]
    outlines = Path(sys.argv[4]) if len(sys.argv) > 4 else None
    found: dict[str, Any] = {
        "command": "python -m tools.box_results " + " ".join(sys.argv[1:]),
        "model": {"index": model.meaning["index"], "parity": model.meaning["parity"],
                  "temperature": model.temperature},
        "versions": versions(), "measured": now(),
        "volumes": volumes(model),
        "test": test_rows(model, index),
        "strangers": strangers(model),
    }  # fmt: skip
    if outlines:
        found["heat"] = heat(model, index, outlines)
        found["heat, weights shuffled"] = heat(shuffled(Path(sys.argv[1])), index, outlines)
    write_json(Path(out), found)
    print(aligned(_lines(found)))


class Slice(NamedTuple):
    """A slice of another hospital's volumes."""

    picture: Picture
    sick: bool  # the reader outlined a tumour in it
    clear: bool  # it has a tumour, or is far from any
    patient: str


def volume_slices() -> Iterator[Slice]:
    """The slices of every volume that has outlines, in their order."""
    for folder in sorted((SHARED / "data" / "volumes").glob("btp_*")):
        for scan in sorted(folder.glob("*_Scan_T1.nii.gz")):
            marked = scan.with_name(scan.name.replace("Scan_T1", "Mask"))
            image: Any = nibabel.as_closest_canonical(nibabel.load(marked))  # type: ignore[no-untyped-call]
            outlined = np.asarray(image.dataobj).sum((0, 1)) > 0
            for picture in read_pictures(scan, plane="axial"):
                away = int(np.abs(np.flatnonzero(outlined) - picture.number).min())
                yield Slice(picture, away == 0, not 0 < away < CLEAR, folder.name)


def volumes(model: Classifier) -> dict[str, Any]:
    """Tumour against tumour-free slices: as `predict` answers a volume, and each slice alone."""
    slices = list(volume_slices())
    findings = [finding for _, finding in _found(model, [one.picture for one in slices])]
    told = both_ways(slices, findings)
    patients = sorted({one.patient for one in slices})
    return told["in context"] | {"patients": patients, "each slice alone": told["alone"]}


def both_ways(slices: Sequence[Slice], findings: Sequence[Finding]) -> dict[str, dict[str, Any]]:
    """The separation by each slice alone, and with its neighbours in mind."""
    alone = [Answer(one.picture, found) for one, found in zip(slices, findings, strict=True)]
    clear = np.array([one.clear for one in slices])
    sick = np.array([one.sick for one in slices])[clear]
    told = {}
    for name, answers in (("alone", alone), ("in context", in_context(alone, "none"))):
        scores = np.array([1 - answer.finding.probabilities["none"] for answer in answers])
        told[name] = separation(scores[clear], sick)
    return told


def separation(scores: Array, sick: Array) -> dict[str, Any]:
    """AUROC, and sensitivity and specificity at 0.5 and where the sensitivity is 0.9."""
    draw = generator(0, "volumes")
    places = np.arange(len(scores))
    values = []
    for _ in range(RESAMPLES):
        some = draw.choice(places, len(places))
        if 0 < sick[some].sum() < len(some):
            values.append(roc_auc_score(sick[some], scores[some]))
    false, true, _ = roc_curve(sick, scores)
    return {
        "slices with tumour": int(sick.sum()),
        "slices without": int((~sick).sum()),
        "AUROC": float(roc_auc_score(sick, scores)),
        "AUROC low, high": [float(v) for v in np.percentile(values, [2.5, 97.5])],
        "sensitivity at 0.5": float((scores[sick] > 0.5).mean()),
        "specificity at 0.5": float((scores[~sick] <= 0.5).mean()),
        "specificity at sensitivity 0.9": float(1 - false[true >= 0.9].min()),
    }


def test_rows(model: Classifier, index: Index) -> dict[str, Any] | None:
    """The test rows of known kind: figures of the export itself, and what it refuses.

    None where the model has learned from any of them: such figures would mean nothing.
    """
    rows = [row for row in index.of("test") if row.label in model.labels]
    if learned_from(model, rows):
        return None
    findings = [f for _, f in _found(model, [row_picture(index, row) for row in rows])]
    table = np.array([[f.probabilities[k] for k in model.labels] for f in findings])
    true = np.array([model.labels.index(row.label) for row in rows])
    group = np.unique([row.group for row in rows], return_inverse=True)[1]
    return {
        "images": len(rows),
        "refused": float(np.mean([bool(f.refusal) for f in findings])),
        "refused as too new": float(np.mean([(f.novelty or 0) > 1 for f in findings])),
        **judge(true, table, group, model.labels),
    }


def learned_from(model: Classifier, rows: Sequence[Row]) -> bool:
    """Whether the model learned from any of these."""
    return not {row.pixel_digest[:12] for row in rows}.isdisjoint(model.bank_names)


def strangers(model: Classifier) -> dict[str, Any]:
    """The share of pictures that are no brain slices, and are refused."""
    kinds = stranger_pictures()
    refused = {
        kind: [bool(f.refusal) for _, f in _found(model, pictures)]
        for kind, pictures in kinds.items()
    }
    everything = [one for each in refused.values() for one in each]
    return {
        "pictures": len(everything),
        "refused": float(np.mean(everything)),
        "by kind": {
            k: {"pictures": len(v), "refused": float(np.mean(v))} for k, v in refused.items()
        },
    }


def stranger_pictures() -> dict[str, list[Picture]]:
    """Pictures that are no brain slices, by kind."""
    return {
        "photos": _files(SHARED / "data/vangogh2photo/trainB_photo"),
        "paintings": _files(SHARED / "data/vangogh2photo/trainA_vangogh"),
        "Set5 and Set14": _files(SHARED / "data/sr"),
        "text": [Picture(f"text {i}", 0, 1, grey=_text(i)) for i in range(100)],
        "noise": [Picture(f"noise {i}", 0, 1, grey=_noise(i)) for i in range(100)],
    }


def heat(model: Classifier, index: Index, outlines: Path) -> dict[str, Any]:
    """Does the heat lie in the outline? Beside it: a Gaussian in the picture's middle."""
    polygons = read_outlines(outlines)
    size = model.preprocessing.size
    y, x = np.mgrid[:size, :size] / size - 0.5
    middle = np.exp(-(x**2 + y**2) / (2 * 0.2**2))
    rows = [r for r in index.of("test") if index.file(r).resolve() in polygons]
    hits, shares = {"model": [], "middle": []}, {"model": [], "middle": []}  # type: ignore[var-annotated]
    for row, (picture, finding) in zip(
        rows, _found(model, [row_picture(index, row) for row in rows]), strict=True
    ):
        inside = mask(picture.grey, polygons[index.file(row).resolve()], model.preprocessing) > 127
        if not inside.any() or finding.heat is None:
            continue
        large = Image.fromarray(finding.heat).resize((size, size), Image.Resampling.BILINEAR)
        for name, shown in (("model", np.asarray(large)), ("middle", middle)):
            hits[name].append(bool(inside.flat[int(shown.argmax())]))
            shares[name].append(float(shown[inside].sum() / shown.sum()))
    return {
        "outlines": len(hits["model"]),
        "pointing game": {k: float(np.mean(v)) for k, v in hits.items()},
        "energy in outline": {k: float(np.mean(v)) for k, v in shares.items()},
    }


def shuffled(path: Path) -> Classifier:
    """The same network with the numbers of every large weight in another order.

    A map that does not change with the weights shows the picture, not what was learned (Adebayo et
    al. 2018, "Sanity Checks for Saliency Maps").
    """
    graph = onnx.load(str(path))
    for weight in graph.graph.initializer:
        if np.prod(weight.dims) >= 256:
            values = onnx.numpy_helper.to_array(weight)
            mixed = generator(0, weight.name).permutation(values.ravel()).reshape(values.shape)
            weight.CopyFrom(onnx.numpy_helper.from_array(mixed, weight.name))
    with tempfile.TemporaryDirectory() as place:
        onnx.save(graph, f"{place}/shuffled.onnx")
        return Classifier(Path(place) / "shuffled.onnx")


def _found(model: Classifier, pictures: Sequence[Picture]) -> Iterator[tuple[Picture, Finding]]:
    for start in range(0, len(pictures), 64):
        some = pictures[start : start + 64]
        greys, colours = [p.grey for p in some], [p.colour for p in some]
        yield from zip(some, model.find(greys, colours=colours), strict=True)


def row_picture(index: Index, row: Row) -> Picture:
    """An index's row as a picture of one slice."""
    return Picture(row.path, 0, 1, grey=read_grey(index.file(row)))


def _files(folder: Path) -> list[Picture]:
    scans = set(find_scans(folder))
    return [p for file in find_images(folder) if file not in scans for p in read_pictures(file)]


def _text(seed: int) -> Array:
    """A page of words, dark on light or light on dark."""
    draw = generator(seed, "text")
    image = Image.new("L", (256, 256), 255 if seed % 2 else 0)
    pen = ImageDraw.Draw(image)
    for line in range(18):
        words = " ".join(
            "".join(chr(97 + int(c)) for c in draw.integers(0, 26, 6)) for _ in range(6)
        )
        pen.text((8, 6 + 14 * line), words, fill=0 if seed % 2 else 255)
    return np.asarray(image)


def _noise(seed: int) -> Array:
    """White noise, or noise smooth over some pixels."""
    draw = generator(seed, "noise")
    side = int(draw.choice([256, 64, 16, 8]))
    small = Image.fromarray(draw.integers(0, 256, (side, side), dtype=np.uint8))
    return np.asarray(small.resize((256, 256), Image.Resampling.BICUBIC))


def _lines(found: dict[str, Any]) -> list[list[str]]:
    """What to print."""
    volume, test, other = found["volumes"], found["test"], found["strangers"]
    low, high = volume["AUROC low, high"]
    rows = [
        ["figure", "value"],
        ["another hospital, AUROC", f"{volume['AUROC']:.3f} ({low:.3f} to {high:.3f})"],
        ["  sensitivity, specificity at 0.5",
         f"{volume['sensitivity at 0.5']:.2f}, {volume['specificity at 0.5']:.2f}"],
        ["  specificity at sensitivity 0.9", f"{volume['specificity at sensitivity 0.9']:.2f}"],
        *([] if test is None else [
            ["test accuracy", _between(test["metrics"]["accuracy"])],
            ["test ECE", _between(test["metrics"]["ece"])],
            ["test slices refused", f"{test['refused']:.3f}"],
        ]),
        ["strangers refused", f"{other['refused']:.3f}"],
        *[[f"  {kind}", f"{each['refused']:.3f} of {each['pictures']}"]
          for kind, each in other["by kind"].items()],
    ]  # fmt: skip
    for name in ("pointing game", "energy in outline"):
        if "heat" in found:
            value = found["heat"][name]
            rows.append([name, f"{value['model']:.3f}, a middle spot {value['middle']:.3f}"])
    return rows


def _between(figure: dict[str, float]) -> str:
    return f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"


if __name__ == "__main__":
    main()
