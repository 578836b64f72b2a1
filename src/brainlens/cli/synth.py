"""Owns the commands of `brainlens synth`: `train`, `sample`, `score` and `verdict`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from brainlens.core.progress import duration, say

_FILE = click.Path(path_type=Path)
_HELP = {"help_option_names": ["-h", "--help"]}


@click.group(context_settings=_HELP)
def synth() -> None:
    """Make synthetic training images, and find out if they help.

    \b
    brainlens synth train INDEX --class none -o RUN   a generator from the training rows
    brainlens synth sample RUN -n 395 -o DIR          its pictures, and their index
    brainlens synth score DIR --against INDEX -o S    how far from real, how diverse, copied?
    brainlens synth verdict INDEX --arms ... -o V     does it help the classifier?
    """


@synth.command()
@click.argument("index", type=_FILE)
@click.option("-o", "run", type=_FILE, required=True, help="The run folder to write.")
@click.option("--class", "classes", multiple=True, metavar="LABEL",
              help="A class to learn; repeatable. Default: all, where the recipe can.")  # fmt: skip
@click.option("--recipe", default="dcgan-da", show_default=True, help="dcgan, dcgan-da, diffusion.")
@click.option("--config", type=_FILE, help="A TOML file of settings.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="One setting; repeatable.")
@click.option("--resume", is_flag=True, help="Go on with an unfinished run.")
@click.option("--overwrite", is_flag=True, help="Replace a run that exists.")
def train(
    index: Path, run: Path, classes: tuple[str, ...], recipe: str, config: Path | None,
    sets: tuple[str, ...], resume: bool, overwrite: bool,
) -> None:  # fmt: skip
    """Train a generator on the training rows of INDEX alone."""
    from brainlens.core.config import parse_sets, read_toml
    from brainlens.generative.synthconfig import settings
    from brainlens.recipes import read_recipe

    tables = [read_recipe(recipe, "synth")] + ([read_toml(config)] if config else [])
    resolved = settings(*tables, parse_sets(sets))
    from brainlens.generative.synthtraining import train as run_training

    done = run_training(
        index, run, resolved, classes=classes, recipe=recipe, resume=resume, overwrite=overwrite
    )
    click.echo(f"{done.steps} steps, {done.images} pictures shown, {done.speed:.1f} img/s")
    say(f"wrote {run} in {duration(done.seconds)}; next: brainlens synth sample {run} -n 100 "
        "-o synthetic")  # fmt: skip


@synth.command()
@click.argument("run", type=_FILE)
@click.option("-n", "count", type=click.IntRange(1), help="Pictures of each class.")
@click.option("--seeds", metavar="A-B", help="Seeds of the pictures; default: 0 to n - 1.")
@click.option("--class", "classes", multiple=True, metavar="LABEL",
              help="Repeatable. Default: every class the generator knows.")  # fmt: skip
@click.option("-o", "out", type=_FILE, required=True, help="The folder to write.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace pictures of an earlier run.")
def sample(
    run: Path, count: int | None, seeds: str | None, classes: tuple[str, ...], out: Path,
    device: str, overwrite: bool,
) -> None:  # fmt: skip
    """Draw pictures from a generator. A seed's is always the same."""
    from brainlens.generative.sampling import sample as write
    from brainlens.generative.sampling import seeds_of

    index = write(
        run, out, seeds_of(seeds, count), classes=classes, overwrite=overwrite, device=device
    )
    say(f"wrote {out}; next: brainlens train INDEX --extra {index} -o RUN, or brainlens synth "
        f"score {out} --against INDEX -o SCORE")  # fmt: skip


@synth.command()
@click.argument("made", type=_FILE)
@click.option("--against", type=_FILE, required=True, metavar="INDEX",
              help="The index that the generator learned from.")  # fmt: skip
@click.option("-o", "out", type=_FILE, required=True, help="The folder to write.")
@click.option("-n", "limit", type=click.IntRange(1), default=300, show_default=True,
              help="Pictures of each class, where MADE is a run.")  # fmt: skip
@click.option("--model", type=_FILE, help="A classifier's run: also measure in its features.")
@click.option("--rival", type=_FILE, help="Another generator's run or pictures, to be beside it.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--overwrite", is_flag=True, help="Replace an earlier score.")
def score(
    made: Path, against: Path, out: Path, limit: int, model: Path | None, rival: Path | None,
    device: str, overwrite: bool,
) -> None:  # fmt: skip
    """Tell how near to real, how diverse, how copied. MADE: a folder of synth sample, or a run."""
    from functools import partial

    from brainlens.generative.inception import inception_features
    from brainlens.report.synthesised import score_table
    from brainlens.synthesis.scoring import score as judge

    features: dict[str, Any] = {"inception": partial(inception_features, device=device)}
    if model is not None:
        from brainlens.synthesis.seen import classifier_features

        features["classifier"] = classifier_features(model)
    result = judge(made, against, out, features, limit=limit, rival=rival, overwrite=overwrite)
    click.echo(score_table(result))
    click.echo(result["answer"])
    say(f"wrote {out}; next: brainlens report {out} -o score.html")


@synth.command()
@click.argument("index", type=_FILE)
@click.option("-o", "out", type=_FILE, required=True, help="The folder to write.")
@click.option("--arms", default="none,oversample,classic", show_default=True,
              help="A list; a generator's arm has a name of your own and a --run.")  # fmt: skip
@click.option("--run", "runs", multiple=True, metavar="ARM=RUN", help="An arm's generator.")
@click.option("--leaking-run", type=_FILE, help="A generator of all rows, for seed A's protocol.")
@click.option("--ratios", default="0.5,1,2", show_default=True, help="Added images a real one.")
@click.option("--seeds", type=click.IntRange(1), default=5, show_default=True)
@click.option("--class", "label", default="", help="The class to add to. Default: the smallest.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Of the classifier.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier verdict.")
def verdict(
    index: Path, out: Path, arms: str, runs: tuple[str, ...], leaking_run: Path | None,
    ratios: str, seeds: int, label: str, sets: tuple[str, ...], overwrite: bool,
) -> None:  # fmt: skip
    """Say whether made images help a classifier. Arms, ratios, seeds, tests; one plain answer."""
    from brainlens.classify.config import TrainConfig
    from brainlens.core.config import parse_sets, resolve
    from brainlens.report.synthesised import verdict_table
    from brainlens.synthesis.verdict import verdict as decide

    start = {"tune": "head", "augment": "none", "balance": "none", "epochs": 20}
    settings = resolve(TrainConfig, start, parse_sets(sets))
    result = decide(
        index, out, settings, arms=[arm.strip() for arm in arms.split(",")], seeds=seeds,
        runs=_runs(runs), ratios=_numbers(ratios), label=label, leaking_run=leaking_run,
        overwrite=overwrite,
    )  # fmt: skip
    click.echo(verdict_table(result))
    click.echo(result["answer"])
    say(f"wrote {out}; next: brainlens report {out} -o verdict.html")


def _runs(texts: tuple[str, ...]) -> dict[str, Path]:
    """`ARM=RUN` as a table."""
    from brainlens.core.errors import ConfigError

    for text in texts:
        if not text.partition("=")[2]:
            raise ConfigError(f"--run {text}: expected ARM=RUN, for example dcgan=runs/dcgan")
    return {arm: Path(run) for arm, _, run in (text.partition("=") for text in texts)}


def _numbers(text: str) -> list[float]:
    """`0.5,1,2` as numbers."""
    from brainlens.core.errors import ConfigError

    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(f"--ratios {text}: expected numbers, for example 0.5,1,2") from None
