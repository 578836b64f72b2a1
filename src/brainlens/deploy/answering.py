"""Owns one request for answers: paths and wishes in, answers, studies and notes out.

With an export (the one in the box unless another is named) nothing here loads torch; a run folder
is answered by torch itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from brainlens.core.errors import ImageError, RunError, UserError
from brainlens.data.answers import Answer
from brainlens.data.inputs import opened
from brainlens.data.studies import Study, in_context, pool
from brainlens.deploy.classifier import Classifier
from brainlens.deploy.heatmaps import write_heatmap

BACKGROUND = "none"  # the class that shows nothing, where an export does not say


@dataclass(frozen=True)
class Answered:
    """What a request ends with."""

    answers: list[Answer]
    studies: list[Study]
    notes: list[str]  # lines for the user: skipped files, what was written


def box() -> Path:
    """The model that ships in the package; raises RunError where it was left out."""
    path = Path(str(files("brainlens") / "deploy" / "models" / "default.onnx"))
    if not path.is_file():
        raise RunError(f"{path}: no model is in this installation. Name one: --model model.onnx")
    return path


def answer_inputs(
    inputs: Sequence[Path], model: Path | None, *, coverage: float | None = None,
    plane: str = "acquired", prevalence: float | None = None, heatmap: Path | None = None,
    dicom_sr: Path | None = None,
) -> Answered:  # fmt: skip
    """Answer for every picture and slice below the inputs; raises UserError kinds."""
    if prevalence is not None and not 0 < prevalence < 1:
        raise UserError(f"--prevalence {prevalence:g}: expected a share between 0 and 1, as 0.05")
    if model is not None and model.suffix != ".onnx":
        wishes = {"--coverage": coverage, "--prevalence": prevalence, "--heatmap": heatmap,
                  "--dicom-sr": dicom_sr}  # fmt: skip
        for name, value in wishes.items():
            if value is not None:
                raise UserError(
                    f"{name} needs an export. Make one: brainlens export {model} -o model.onnx"
                )
        return _by_run(inputs, model, plane)
    classifier = Classifier(model or box())
    written: list[Path] = []

    def show(answer: Answer) -> None:
        if heatmap and (path := write_heatmap(answer, classifier.preprocessing, heatmap)):
            written.append(path)

    with opened(inputs) as found:
        answers, unreadable = classifier.classify(found, coverage=coverage, plane=plane, show=show)
        background = _background(classifier.labels)
        sets = classifier.sets(coverage) if coverage is not None else None
        answers = in_context(answers, background, sets)
        studies = pool(answers, background)
        reports: list[Path] = []
        without: list[ImageError] = []
        if dicom_sr:
            from brainlens.deploy.dicom_sr import write_reports

            reports, without = write_reports(answers, studies, dicom_sr, model=classifier.digest)
    notes = _skipped(unreadable, len(found))
    if prevalence is not None:
        notes.append(_at_prevalence(classifier.meaning.get("operating"), prevalence))
    if heatmap:
        notes.append(f"wrote {len(written)} heat maps into {heatmap}")
    if dicom_sr:
        notes += [f"no report: {error}" for error in without]
        many = "report" if len(reports) == 1 else "reports"
        notes.append(f"wrote {len(reports)} structured {many} into {dicom_sr}")
    return Answered(answers, studies, notes)


def _by_run(inputs: Sequence[Path], run: Path, plane: str) -> Answered:
    """Answers of a training run itself."""
    from brainlens.classify.predictor import Predictor

    predictor = Predictor(run)
    with opened(inputs) as found:
        answers, unreadable = predictor.classify(found, plane=plane)
    background = _background(predictor.model.labels)
    answers = in_context(answers, background)
    studies = pool(answers, background)
    return Answered(answers, studies, _skipped(unreadable, len(found)))


def _skipped(unreadable: Sequence[ImageError], files: int) -> list[str]:
    """A line a file that could not be read, and how many there were."""
    lines = [f"skipped {error}" for error in unreadable]
    return [*lines, f"{len(lines)} of {files} files skipped"] if lines else []


def _background(labels: Sequence[str]) -> str:
    return BACKGROUND if BACKGROUND in labels else ""


def _at_prevalence(operating: Any, prevalence: float) -> str:
    """What a positive and a negative answer would mean at this prevalence, by Bayes' rule."""
    if not operating:
        raise UserError("--prevalence: this export has no class that shows nothing to compare with")
    sensitivity, specificity = operating["sensitivity"], operating["specificity"]
    hits = sensitivity * prevalence
    alarms = (1 - specificity) * (1 - prevalence)
    rejects, misses = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
    ppv = hits / (hits + alarms) if hits + alarms else 0.0
    npv = rejects / (rejects + misses) if rejects + misses else 0.0
    return (
        f"at a prevalence of {prevalence:.1%}: PPV {ppv:.1%}, NPV {npv:.1%} (sensitivity "
        f"{sensitivity:.1%}, specificity {specificity:.1%} on {operating['images']} validation "
        "images of the same sources as the training; expect less elsewhere)"
    )
