"""Owns `brainlens reproduce`: a seed's figure, ours under its protocol, ours without leakage.

Enters: a recipe with a `[published]` table and the folders of its data. Leaves: a folder with
`reproduce.json` (all figures), `report.html`, the audit, and each arm's runs and evaluations.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brainlens.classify.backbones import backbone, load_pretrained
from brainlens.classify.config import TrainConfig
from brainlens.core.config import resolve
from brainlens.core.errors import ConfigError, WeightsError
from brainlens.core.files import write_json
from brainlens.core.progress import say
from brainlens.core.provenance import now, provenance
from brainlens.recipes import read_recipe
from brainlens.report.page import write_report
from brainlens.reproduce import asked
from brainlens.reproduce.arms import Arm, Document, run_arm
from brainlens.reproduce.claims import Claim, read_claim
from brainlens.reproduce.protocols import between, protocol
from brainlens.reproduce.sets import find_sets, read_pool, take

QUICK_IMAGES = 8  # a class folder
QUICK_SIZE, QUICK_SMALLEST = 32, {"inception_v3": 80}  # pixels a side
QUICK = {"epochs": 2, "batch_size": 8, "patience": 0}


@dataclass(frozen=True)
class Settings:
    """What is trained, and what of it is not as the recipe says."""

    config: TrainConfig
    changed: dict[str, Any]
    notes: list[str]


def reproduce(
    recipe: str, data: Sequence[str], out: Path, *, quick: bool = False, images: int = 0,
    sets: dict[str, Any] | None = None, external: Sequence[str] = (), degrade: bool = False,
    overwrite: bool = False, resume: bool = False,
) -> Document:  # fmt: skip
    """Run a recipe as its document did and without leakage; answers what `reproduce.json` holds.

    With `external` ("TRAIN:TEST") it is judged between those sets instead; with `images` on at
    most so many of each class folder. `resume` trains only what an interrupted one left undone.
    """
    began, started = time.monotonic(), now()
    claim = None if external else read_claim(recipe)
    arms = _own_arms(claim) if claim else _external_arms(external)
    chosen, notes = take(find_sets(data), _wanted(arms))
    settings = _settings(recipe, sets or {}, quick)
    most = images or (QUICK_IMAGES if quick else 0)
    request = {
        "recipe": recipe, "images": most, "external": list(external), "degrade": degrade,
        "sets": {name: str(folder.resolve()) for name, folder in chosen.items()},
        "settings": _plain(settings.config),
    }  # fmt: skip
    if resume:
        asked.go_on(out, request)
    else:
        asked.begin(out, request, overwrite=overwrite)
    pool = read_pool(chosen, arms[0].protocol.labels, out, most=most)
    columns: list[Document] = []
    for number, arm in enumerate(arms, start=1):
        say(f"\n[{number}/{len(arms)}] {arm.title}: {arm.protocol.words}")
        folder = out / arm.name
        plan = arm.protocol.plan(pool, folder / "made")
        columns += run_arm(arm, plan, folder, settings.config, degrade=degrade, resume=resume)
    document: Document = {
        "kind": "reproduction",
        "recipe": recipe,
        "quick": quick,
        "published": _plain(claim) if claim else None,
        "data": {name: pool.sets.count(name) for name in chosen},
        "settings": _plain(settings.config),
        "changed": ({"images a folder": most} if most else {}) | settings.changed,
        "notes": _notes(claim, len(pool.rows)) + notes + settings.notes,
        "columns": columns,
        "provenance": provenance(
            "reproduction", settings.config.seed, started, time.monotonic() - began
        ),
    }
    write_json(out / asked.DONE, document)
    write_report([out, *(out / column["evaluation"] for column in columns)], out / "report.html")
    return document


def _plain(record: Any) -> dict[str, Any]:
    """A dataclass as JSON has it."""
    table: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(record)))
    return table


def _own_arms(claim: Claim) -> list[Arm]:
    return [
        Arm("seed", "the seed's own protocol", protocol(claim.seed_protocol)),
        Arm("clean", "without leakage", protocol(claim.clean_protocol)),
    ]


def _external_arms(pairs: Sequence[str]) -> list[Arm]:
    """An arm a pair; raises ConfigError for what is none."""
    arms = []
    for pair in pairs:
        train, _, test = (part.strip() for part in pair.partition(":"))
        if not train or not test or train == test:
            raise ConfigError(f"--external {pair}: expected TRAIN:TEST, such as sartaj:navoneel")
        arms.append(Arm(f"{train}-{test}", f"{train} to {test}", between(train, test)))
    return arms


def _wanted(arms: Sequence[Arm]) -> list[str]:
    """The sets that the arms need together, each once."""
    return list(dict.fromkeys(name for arm in arms for name in arm.protocol.sets))


def _settings(recipe: str, sets: dict[str, Any], quick: bool) -> Settings:
    """The recipe's settings with what is changed; raises WeightsError early.

    A quick run whose weights are out of reach begins from scratch, and says so.
    """
    own = resolve(TrainConfig, read_recipe(recipe))
    smaller = dict(QUICK) | {"size": QUICK_SMALLEST.get(own.backbone, QUICK_SIZE)} if quick else {}
    config = resolve(TrainConfig, read_recipe(recipe), smaller, sets)
    notes = []
    row = backbone(config.backbone)
    if config.weights == "imagenet" and row.weights:
        try:
            load_pretrained(config.backbone, row.build())
        except WeightsError as error:
            if not quick:
                raise
            config = dataclasses.replace(config, weights="none", tune="all")
            notes.append(f"WEIGHTS NOT REACHABLE, so from scratch: {error}")
            say(notes[-1])
    elif row.weights:
        notes.append("from scratch: no ImageNet weights were asked for")
    before, after = _plain(own), _plain(config)
    changed = {name: value for name, value in after.items() if value != before[name]}
    return Settings(config, changed, notes)


def _notes(claim: Claim | None, images: int) -> list[str]:
    """What is not as the document had it."""
    if claim is None:
        return []
    notes = [claim.stand_in] if claim.stand_in else []
    if claim.images:
        notes.append(f"the seed's set: {claim.images:,} images; here: {images:,}")
    return notes + list(claim.chose)
