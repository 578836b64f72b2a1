"""Owns what the files of a run can answer: one function a question, a sentence and its file out.

Each takes the evidence and answers None where the files do not say. A leak changes the sentence
itself, so that it cannot be quoted without it.
"""

from __future__ import annotations

from brainlens.core.progress import duration
from brainlens.report.artefacts import pick
from brainlens.report.checklist.evidence import Evidence, Said
from brainlens.report.facts import digest, plain


def technology(seen: Evidence) -> Said | None:
    """What kind of model it is."""
    if not seen.config:
        return None
    labels = seen.trained("index", "labels") or seen.measured("labels") or []
    return Said(
        f"Deep learning: a convolutional network ({seen.config.get('backbone')}) that classifies "
        f"single slices into {len(labels)} classes ({', '.join(map(str, labels))})",
        seen.where("run", "config.toml"),
    )


def sources(seen: Evidence) -> Said | None:
    """Which folders the judged images came from."""
    parts = seen.measured("parts", "source") or {}
    held = [f"{name}: {plain(pick(own, 'images'))} test images" for name, own in parts.items()]
    index = digest(seen.measured("provenance", "index")) or digest(seen.trained("index"))
    if not index:
        return None
    told = f"Index {str(index)[:16]}" + (f"; {'; '.join(held)}" if held else "")
    kind = ("evaluation", "metrics.json") if seen.evaluation else ("run", "provenance.json")
    return Said(told, seen.where(*kind))


def eligibility(seen: Evidence) -> Said | None:
    """What the audit found unfit."""
    counts = pick(seen.audit, "counts")
    if not isinstance(counts, dict) or "unfit" not in counts:
        return None
    return Said(
        f"{counts.get('images'):,} images audited, {counts['unfit']} found unfit (blank, dark, "
        "blurred, tiny, odd in size, no slice)",
        seen.where("audit", "audit.json"),
    )


def preprocessing(seen: Evidence) -> Said | None:
    """How a picture is made into what the network sees."""
    if not seen.config:
        return None
    size = seen.config.get("size") or "the backbone's own number of"
    crop = "the dark border cut off, " if seen.config.get("crop") else ""
    return Said(
        f"Grey, {crop}fitted ({seen.config.get('fit')}) to a square of {size} pixels a side, "
        "normalised as the backbone expects; the same in training, evaluation and prediction. "
        f"Augmentation of training images alone: {seen.config.get('augment')}",
        seen.where("run", "config.toml"),
    )


def partition(seen: Evidence) -> Said | None:
    """How images were assigned to the sides."""
    split = seen.split()
    if not split:
        return None
    images = seen.trained("index", "images") or {}
    counts = ", ".join(f"{name} {number:,}" for name, number in images.items())
    return Said(
        f"Protocol {split.get('protocol')}, seed {split.get('seed')}, test share "
        f"{plain(split.get('test'))}, validation share {plain(split.get('val'))}"
        + (f"; images: {counts}" if counts else ""),
        _split_file(seen),
    )


def disjoint(seen: Evidence) -> Said | None:
    """At which level the sides are disjoint, and whether they are."""
    leakage = seen.measured("leakage")
    if not isinstance(leakage, dict):
        return None
    kinds = {"copies": "copies", "twins": "twins", "same_group": "group members"}
    found = {name: leakage.get(key, 0) for key, name in kinds.items()}
    compared = pick(leakage, "certificate", "compared")
    checked = f" ({compared})" if compared else ""
    if leakage.get("allowed") or any(found.values()):
        counts = ", ".join(f"{number} {name}" for name, number in found.items())
        text = f"NOT DISJOINT: of the judged images the model had seen {counts}{checked}"
    else:
        text = (
            "By group (patients where a manifest names them, near-identical pictures, copies): no "
            f"judged image, its copy, its twin or a member of its group was trained on{checked}"
        )
    return Said(text, seen.where("evaluation", "metrics.json"))


def sample(seen: Evidence) -> Said | None:
    """How many were judged."""
    images, groups = seen.measured("images"), seen.measured("groups")
    if images is None:
        return None
    return Said(
        f"{images:,} {seen.measured('split')} images of {groups:,} groups (patients, twins)",
        seen.where("evaluation", "metrics.json"),
    )


def model(seen: Evidence) -> Said | None:
    """The network."""
    if not seen.config:
        return None
    config, total = seen.config, seen.trained("parameters", "total")
    hidden = f", hidden layers {config['hidden']}" if config.get("hidden") else ""
    return Said(
        f"{config.get('backbone')}, {config.get('head', 'pooled')} head ({config.get('pool')} "
        f"pooling{hidden}, dropout {config.get('dropout')})"
        + (f", {total:,} parameters" if isinstance(total, int) else "")
        + "; one probability a class comes out",
        seen.where("run", "config.toml"),
    )


def software(seen: Evidence) -> Said | None:
    """Libraries and their versions."""
    kind, of = ("run", seen.run) if seen.run else ("evaluation", seen.measured("provenance") or {})
    versions = pick(of, "versions")
    if not versions:
        return None
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    file = "provenance.json" if kind == "run" else "metrics.json"
    return Said(f"brainlens {of.get('brainlens')}, {listed}", seen.where(kind, file))


def initial(seen: Evidence) -> Said | None:
    """Where the weights began."""
    if not seen.run:
        return None
    start = seen.config.get("start")
    begun = f"the run {start}" if start else f"weights: {plain(seen.trained('weights'))}"
    return Said(f"{begun}; seed {seen.trained('seed')}", seen.where("run", "provenance.json"))


def training(seen: Evidence) -> Said | None:
    """How it was trained."""
    if not seen.config:
        return None
    config, seconds = seen.config, seen.trained("seconds")
    machine = seen.trained("machine") or {}
    said = ", ".join(
        f"{key.replace('_', ' ')} {plain(config.get(key))}"
        for key in ("optimizer", "learning_rate", "schedule", "epochs", "batch_size", "tune",
                    "weight_decay", "label_smoothing", "balance", "augment")
        if key in config
    )  # fmt: skip
    took = f"; {duration(seconds)}" if isinstance(seconds, int | float) else ""
    return Said(
        f"{said}{took} on {plain(machine.get('device'))} ({plain(machine.get('cpu'))}); every "
        "setting stands in the file",
        seen.where("run", "config.toml"),
    )


def selection(seen: Evidence) -> Said | None:
    """How the final model was chosen."""
    if seen.trained("best_epoch") is None:
        return None
    return Said(
        f"The epoch best by {seen.trained('monitor')} on the validation images: epoch "
        f"{seen.trained('best_epoch')}; the test images took no part",
        seen.where("run", "provenance.json"),
    )


def ensemble(seen: Evidence) -> Said | None:
    """Whether several models answer."""
    if not seen.run:
        return None
    return Said("None: one network answers", seen.where("run", "provenance.json"))


def imbalance(seen: Evidence) -> Said | None:
    """What was done about unequal classes."""
    if "balance" not in seen.config:
        return None
    ways = {"none": "nothing", "weights": "class weights in the loss",
            "sampling": "rare classes drawn more often"}  # fmt: skip
    balance = str(seen.config["balance"])
    return Said(
        f"{ways.get(balance, balance)}; probabilities are not corrected for the clinic's "
        "prevalence (predict --prevalence gives PPV and NPV there)",
        seen.where("run", "config.toml"),
    )


def output(seen: Evidence) -> Said | None:
    """What a prediction is."""
    labels = seen.measured("labels")
    if not labels:
        return None
    return Said(
        f"A probability for each of {', '.join(map(str, labels))}; the most probable is the class "
        "answered",
        seen.where("evaluation", "predictions.csv"),
    )


def _split_file(seen: Evidence) -> str:
    if seen.trained("split"):
        return seen.where("run", "provenance.json")
    return seen.where("evaluation", "metrics.json")
