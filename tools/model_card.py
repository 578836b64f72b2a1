"""Writes the card of the model in the box, and its record: `python -m tools.model_card`.

From the export's own metadata (src/brainlens/deploy/models/default.onnx) and from what was measured
(docs/results/box/*.json, docs/results/main-road/*.json), in the words of tools/card/, to
docs/model-card.md and its translation, into the export, and to default.json beside it, which the
web app shows; a test makes them again and compares.
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
CARDS = {"en": ROOT / "docs" / "model-card.md", "zh-Hant": ROOT / "docs" / "model-card-zh.md"}
WORDS = Path(__file__).parent / "card"
RECORD = MODEL.with_suffix(".json")
SPLITS = ("grouped", "official", "random")


def main() -> None:
    """Write the card, into the documents and into the export, and the record beside it."""
    import onnx

    told = {
        "card" if language == "en" else f"card {language}": card(language) for language in CARDS
    }
    for path, text in zip(CARDS.values(), told.values(), strict=True):
        write_atomic(path, text)
    graph = onnx.load(str(MODEL))
    (entry,) = (prop for prop in graph.metadata_props if prop.key == KEY)
    entry.value = json.dumps(json.loads(entry.value) | told)
    with replacing(MODEL) as temporary:
        onnx.save(graph, str(temporary))
    write_json(RECORD, record())
    names = " and ".join(str(path.relative_to(ROOT)) for path in CARDS.values())
    print(f"wrote {names}, into {MODEL.relative_to(ROOT)}, and its .json")


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


def card(language: str = "en") -> str:
    """The card's text in a language of `CARDS`."""
    unseen, box, shipped = (_read(name) for name in ("unseen", "elsewhere", "shipped"))
    model = Classifier(MODEL)
    template = (WORDS / f"{language}.md").read_text("utf-8")
    text = template.format(
        bytes=f"{MODEL.stat().st_size / 1e6:.1f} MB",
        index=model.meaning["index"]["digest"][:16],
        images=_images(model.meaning["index"]["images"]),
        learned=_images(unseen["provenance"]["train_index"]["images"]),
        size=model.preprocessing.size,
        second=_plain(model)["size"],
        temperature=f"{model.temperature:.3f}",
        overall=_overall(unseen),
        classes=_classes(unseen),
        parts=_parts(unseen),
        elsewhere=_elsewhere(box, shipped),
        again=_again((unseen, box), (_read("unseen-again"), _read("elsewhere-again"))),
        strangers=_strangers(box, shipped),
        novelty=_novelty(_read("choices")),
        limits=_limits(_read("choices"), _read("choices-shipped")),
        kept=f"{100 * model.meaning['novelty']['kept']:g} %",
        heat=_heat(box),
        healthy=_healthy(_read("healthy")),
        ablations=_ablations(_read("ablations")),
    )
    return _translated(text, language)


def _translated(text: str, language: str) -> str:
    """The text with the words of its tables in the language; cells without a word for it stay."""
    file = WORDS / f"{language}.json"
    if not file.exists():
        return text
    words = json.loads(file.read_text("utf-8"))

    def row(line: str) -> str:
        if not line.startswith("| "):
            return line
        return "| " + " | ".join(words.get(cell, cell) for cell in line[2:-2].split(" | ")) + " |"

    return "\n".join(map(row, text.split("\n")))


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return found


def _plain(model: Classifier) -> dict[str, Any]:
    """The architecture of the plain classifier, the first where there are several."""
    told = model.meaning["architecture"]["second"]
    found: dict[str, Any] = told if isinstance(told, dict) else told[0]
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


def _again(*trainings: tuple[dict[str, Any], dict[str, Any]]) -> str:
    """The same recipe each time: how far its figures lie apart by chance."""
    rows = []
    for name, (unseen, box) in zip(("as above", "again"), trainings, strict=True):
        metrics, fold, volume = unseen["metrics"], unseen["parts"]["fold"]["4"], box["volumes"]
        rows.append([
            name, *(percent(metrics[key]) for key in ("accuracy", "balanced_accuracy", "ece")),
            percent(fold["accuracy"]), f"{box['test']['refused']:.1%}", f"{volume['AUROC']:.3f}",
            f"{volume['specificity at sensitivity 0.9']:.2f}",
        ])  # fmt: skip
    head = ["training", "accuracy % (95 %)", "balanced % (95 %)", "ECE % (95 %)", "fold 4 % (95 %)",
            "refused", "AUROC elsewhere", "specificity at sensitivity 0.9"]  # fmt: skip
    return _table([head, *rows])


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


def _healthy(found: dict[str, Any]) -> str:
    """Heads that are not known to be ill, as the shipped model sees them."""
    (heads,) = found["models"].values()
    rows = [
        [name, *(str(own[key]) for key in ("slices", "refused", "tumours")),
         f"{own['surest']:.2f}", own["answer"], f"{own['any tumour']:.2f}"]
        for name, own in heads.items()
    ]  # fmt: skip
    head = ["head", "slices", "refused", "called a tumour", "surest of one", "the whole",
            "any tumour"]  # fmt: skip
    return _table([head, *rows])


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


def _limits(choices: dict[str, Any], shipped: dict[str, Any]) -> str:
    names = ("validation refused", "unseen patients refused", "strangers refused")
    rows = [
        [f"{100 * float(kept):g}%", *(f"{own[name]:.1%}" for name in names),
         f"{shipped['limits'][kept]['strangers refused']:.1%}"]
        for kept, own in choices["limits"].items()
    ]  # fmt: skip
    return _table([["validation within the limit", *names, "strangers, shipped"], *rows])


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


if __name__ == "__main__":
    main()
