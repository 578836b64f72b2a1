"""Writes the card of the model in the box, and its record: `python -m tools.model_card`.

From the export's own metadata (src/brainlens/deploy/models/default.onnx) and from what was measured
(docs/results/box/*.json, docs/results/main-road/*.json) to docs/model-card.md, into the export, and
to default.json beside it, which the web app shows; a test makes them again and compares.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brainlens.core.files import replacing, write_atomic, write_json
from brainlens.deploy.classifier import KEY, Classifier
from brainlens.deploy.service.record import judged
from tools.results_table import percent

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results" / "box"
MODEL = ROOT / "src" / "brainlens" / "deploy" / "models" / "default.onnx"
CARD = ROOT / "docs" / "model-card.md"
RECORD = MODEL.with_suffix(".json")
SPLITS = ("grouped", "official", "random")


def main() -> None:
    """Write the card, into the documents and into the export, and the record beside it."""
    import onnx

    text = card()
    write_atomic(CARD, text)
    graph = onnx.load(str(MODEL))
    (entry,) = (prop for prop in graph.metadata_props if prop.key == KEY)
    entry.value = json.dumps(json.loads(entry.value) | {"card": text})
    with replacing(MODEL) as temporary:
        onnx.save(graph, str(temporary))
    write_json(RECORD, record())
    print(f"wrote {CARD.relative_to(ROOT)}, into {MODEL.relative_to(ROOT)}, and its .json")


def record() -> dict[str, Any]:
    """What the page of the model shows besides its card."""
    unseen, box, shipped = (_read(name) for name in ("unseen", "elsewhere", "shipped"))
    both = (("judged", box), ("shipped", shipped))
    roads = {name: _read(f"../main-road/{name}") for name in SPLITS}
    return {
        "kind": "record",
        "about": "box",
        "judged": judged(unseen),
        "elsewhere": {name: each["volumes"] for name, each in both},
        "strangers": {name: each["strangers"]["by kind"] for name, each in both},
        "heat": box["heat"],
        "splits": [_split(name, road) for name, road in roads.items()],
        "sources": {
            "judged, elsewhere, strangers, heat": "docs/results/box.md",
            "splits": "docs/results/main-road.md",
        },
    }


def _split(name: str, road: dict[str, Any]) -> dict[str, Any]:
    """The plain network under one way to split."""
    leakage = road["leakage"]
    return {
        "split": name,
        "images": road["images"],
        "accuracy": road["metrics"]["accuracy"],
        "seen": leakage["copies"] + leakage["twins"] + leakage["same_group"],
        "clean": leakage["clean"],
    }


def card() -> str:
    """The card's text."""
    unseen, box, shipped = (_read(name) for name in ("unseen", "elsewhere", "shipped"))
    model = Classifier(MODEL)
    return _TEXT.format(
        bytes=f"{MODEL.stat().st_size / 1e6:.1f} MB",
        index=model.meaning["index"]["digest"][:16],
        images=_images(model.meaning["index"]["images"]),
        learned=_images(unseen["provenance"]["train_index"]["images"]),
        size=model.preprocessing.size,
        temperature=f"{model.temperature:.3f}",
        overall=_overall(unseen),
        classes=_classes(unseen),
        parts=_parts(unseen),
        elsewhere=_elsewhere(box, shipped),
        strangers=_strangers(box, shipped),
        novelty=_novelty(_read("choices")),
        heat=_heat(box),
        ablations=_ablations(_read("ablations")),
    )


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return found


def _images(images: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {split}" for split, count in images.items() if split)


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells, the head first, as a table of the document."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def _overall(unseen: dict[str, Any]) -> str:
    metrics = unseen["metrics"]
    names = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auroc", "ece")
    return _table(
        [
            ["figure", "% (95 %)"],
            *([name.replace("_", " "), percent(metrics[name])] for name in names),
        ]
    )


def _classes(unseen: dict[str, Any]) -> str:
    names = ("sensitivity", "specificity", "precision", "f1", "auroc")
    rows = [
        [label, str(each["support"]), *(percent(each[name]) for name in names)]
        for label, each in unseen["per_class"].items()
    ]
    return _table([["class", "images", *(f"{name} % (95 %)" for name in names)], *rows])


def _parts(unseen: dict[str, Any]) -> str:
    rows = [
        [f"{kind} {name}", str(part["images"]), percent(part["accuracy"])]
        for kind, parts in unseen["parts"].items()
        for name, part in parts.items()
    ]
    return _table([["part", "images", "accuracy % (95 %)"], *rows])


def _elsewhere(*found: dict[str, Any]) -> str:
    """Another hospital's slices, as the model that was judged and the shipped one see them."""
    keys = ("sensitivity at 0.5", "specificity at 0.5", "specificity at sensitivity 0.9")
    rows = []
    for name, each in zip(("judged", "shipped"), found, strict=True):
        whole = each["volumes"]
        for how, volume in (
            (name, whole),
            (f"{name}, each slice alone", whole["each slice alone"]),
        ):
            low, high = volume["AUROC low, high"]
            cells = [f"{volume[key]:.2f}" for key in keys]
            rows.append([how, f"{volume['AUROC']:.3f} ({low:.3f} to {high:.3f})", *cells])
    return _table([["model", "AUROC (95 %)", *keys], *rows])


def _strangers(*found: dict[str, Any]) -> str:
    kinds = list(found[0]["strangers"]["by kind"])
    rows = [
        [name, f"{each['test']['refused']:.1%}" if each["test"] else "learned from",
         *(f"{each['strangers']['by kind'][kind]['refused']:.1%}" for kind in kinds)]
        for name, each in zip(("judged", "shipped"), found, strict=True)
    ]  # fmt: skip
    return _table([["model", "real test slices", *kinds], *rows])


def _novelty(choices: dict[str, Any]) -> str:
    rows = [
        [name, f"{own['AUROC']:.3f}", f"{own['strangers refused']:.1%}",
         f"{own['unseen patients refused']:.1%}"]
        for name, own in choices["novelty"].items()
    ]  # fmt: skip
    return _table([["novelty by", "AUROC", "strangers refused", "unseen patients refused"], *rows])


def _heat(box: dict[str, Any]) -> str:
    own, mixed = box["heat"], box["heat, weights shuffled"]
    rows = [
        [name, *(f"{values[key]:.3f}" for key in ("pointing game", "energy in outline"))]
        for name, values in (
            ("the model", {key: own[key]["model"] for key in own if key != "outlines"}),
            (
                "its weights shuffled",
                {key: mixed[key]["model"] for key in own if key != "outlines"},
            ),
            ("a spot in the middle", {key: own[key]["middle"] for key in own if key != "outlines"}),
        )
    ]
    return _table([["map", "brightest point inside", "brightness inside"], *rows])


def _ablations(found: dict[str, Any]) -> str:
    rows = []
    for name, own in found["ways"].items():
        cells = []
        for key in ("alone", "in context"):
            volume = own["elsewhere"][key]
            low, high = volume["AUROC low, high"]
            cells.append(f"{volume['AUROC']:.3f} ({low:.3f} to {high:.3f})")
        rows.append([name, percent(own["accuracy"]), percent(own["ece"]), *cells])
    head = ["answered by", "accuracy % (95 %)", "ECE % (95 %)", "AUROC elsewhere, slices alone",
            "with its neighbours"]  # fmt: skip
    return _table([head, *rows])


_TEXT = """# The model in the box

*Written by `python -m tools.model_card` from the JSON in [results/box](results/box). Research use,
not a medical device.*

`brainlens predict` without `--model` answers with this file: EfficientNet-Lite0 with a dense head
([how it works](training.md#the-dense-head)), {bytes}, four classes (glioma,
meningioma, none, pituitary), {size} x {size}, weights of 16 bits, temperature {temperature}.

## Data

The four public sets of `../shared/data/mri` (Sartaj, Cheng, Navoneel, Br35H; Kaggle and figshare),
audited for twins; groups and patients never cross a split. Navoneel's and Br35H's tumours are of
unknown kind and teach only that there is one. Outlines are Cheng's own. The licence of some Kaggle
images is unclear: research use. No image is in the file; of each training image it keeps a label,
the first digits of its digest and 64 numbers.

Two models ([how they were made](results/box.md)):

- The **judged** one ({learned}) never saw fold 4 of Cheng's patients nor the rest of the test side;
  its figures are below.
- The **shipped** one ({images}; index {index}...) goes on from it for 8 epochs with the test side
  added, so it has no test figures of its own here but those from elsewhere.

## Patients it had never seen (the judged model)

Read three times: at 224 pixels (accuracy 0.891), at 288, which validation preferred (0.898), and
with healed pictures weighing 0.1 instead of 0.5 (`healed`), which validation preferred too.

{overall}

{classes}

{parts}

## Another hospital (btp_01, btp_02; never trained or chosen on)

Contrast T1 slices of two glioblastoma patients, with tumour against at least 3 slices away from
any. A plain fine-tune of the same network on the same data: AUROC 0.69, specificity 0.03.

{elsewhere}

As `predict` answers a volume, each slice with its neighbours in mind; and each slice alone. Two
patients are few: the interval draws slices, not patients, and is too narrow.

## Taken apart

The judged model's two opinions (evidence place by place, and the whole picture) and a plain
classifier of the same network, `--recipe lite0` on the same split. Accuracy on the unseen patients;
AUROC on the other hospital's slices.

{ablations}

(Measured while healed pictures weighed 0.5; the shipped model takes 0.1.) The plain classifier is
more often right where nearly every contrast scan shows a tumour. It ranks the other hospital's
slices nearly as well, but calls most of the tumour-free ones a tumour (specificity at 0.5 in the
JSON). Nothing was chosen by these figures.

## What it refuses

{strangers}

A picture is refused for its looks (the audit's checks) or as unlike everything learned. For the
second alone, of the judged model, each with the limit that keeps 98 % of validation:

{novelty}

## Heat maps

The brightest point of the map, and the share of its brightness, inside Cheng's outlines (test
side of the judged model):

{heat}

## Known failures

- It misses faint and tiny tumours, gliomas without enhancement most of all, more often than a
  network that may take the look of the scan for the tumour. That is the price of not calling
  every contrast scan a tumour; `healed` of the recipe sets it.
- Scans of another make than the public sets': a healthy head at 7 tesla
  (`dicom_studyforrest_7T_T1`) is called a meningioma by `brainlens predict` (0.86, pooled).
- Its thresholds fit public sets in which most slices show a tumour. Give `--prevalence`.
- Slices of a volume are judged one by one and then mixed with their two neighbours; nothing is
  known of the volume as a whole.
- Metastases, strokes, abscesses, treated beds and everything else it never saw get one of its four
  answers.
"""


if __name__ == "__main__":
    main()
