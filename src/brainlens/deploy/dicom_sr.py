"""Owns the answer as a DICOM Structured Report: TID 1500, a measurement report about its images.

Enters: the answers of one DICOM series and the files they are about. Leaves: one Comprehensive SR a
series, in the study of its images and referring to them, with the pooled probability of each class
and of the most suspicious slices. It carries the patient of its images, as every DICOM object must,
and is written only where asked.
"""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from brainlens import __version__
from brainlens.core.dicom import read_dataset
from brainlens.core.errors import ImageError, OutputError, UserError
from brainlens.core.files import replacing
from brainlens.core.scanfiles import is_dicom
from brainlens.data.answers import Answer
from brainlens.data.studies import POOLED, Study

_SCHEME = "99BRAINLENS"  # private codes, for what no public scheme has a word
_PROCEDURE = ("816077007", "SCT", "Magnetic resonance imaging of brain")
_PERCENT = ("%", "UCUM", "percent")
_WHEN = {"PatientBirthDate": "DA", "StudyDate": "DA", "StudyTime": "TM"}
_MAY_BE_EMPTY = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip


def write_reports(
    answers: Sequence[Answer], studies: Sequence[Study], folder: Path, *, model: str
) -> tuple[list[Path], list[ImageError]]:
    """One report a DICOM series or file into `folder`, and the errors of those without one.

    `model` is the digest of the model, which each report names. Raises UserError where none is
    DICOM, ImageError where no report could be made of any.
    """
    series = _series(answers, studies)
    if not series:
        raise UserError("--dicom-sr: got no DICOM file that was judged; expected one to refer to")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from None
    written, without = [], []
    for number, (members, probabilities) in enumerate(series, 1):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # they would print the patient's name
                report = _report(members, probabilities, model, number)
        except Exception:  # of many kinds, over broken headers, with what stands in them
            without.append(ImageError(
                members[0].picture.path, "a header that no report can refer to",
                "valid numbers of its class, image, series and study", "Export the series again",
            ))  # fmt: skip
            continue
        path = folder / f"brainlens-{number:04d}.dcm"
        with replacing(path) as temporary:
            report.save_as(temporary)
        written.append(path)
    if not written:
        raise without[0]
    return written, without


def _series(
    answers: Sequence[Answer], studies: Sequence[Study]
) -> list[tuple[list[Answer], dict[str, float]]]:
    """The DICOM answers by series, the most suspicious first, with their pooled probabilities."""
    found = []
    alone = set(range(len(answers)))
    for study in studies:
        members = [answers[place] for place in study.order]
        alone -= set(study.order)
        if is_dicom(Path(members[0].picture.path)) and study.probabilities:
            found.append((members, study.probabilities))
    for place in sorted(alone):
        answer = answers[place]
        if is_dicom(Path(answer.picture.path)) and not answer.finding.refusal:
            found.append(([answer], answer.finding.probabilities))
    return found


def _report(
    members: Sequence[Answer], probabilities: dict[str, float], model: str, number: int
) -> Any:
    """The report of one series."""
    import highdicom as hd

    paths = list(dict.fromkeys(answer.picture.path for answer in members))
    evidence = [read_dataset(Path(path), force=True) for path in paths]
    _completed(evidence)
    return hd.sr.ComprehensiveSR(
        evidence=evidence,
        content=_content(members, probabilities, evidence[: POOLED], model),
        series_number=9000 + number,
        series_instance_uid=hd.UID(),
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="brainlens (research use, not a medical device)",
        is_complete=True,
        is_verified=False,
        series_description="brainlens: research use, not a medical device",
        content_date=datetime.date.today(),
    )  # fmt: skip


def _content(
    members: Sequence[Answer], probabilities: dict[str, float], sources: Sequence[Any], model: str
) -> Any:
    """The measurement report: who says it, of what, and the numbers."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    observer = hd.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
            uid=hd.UID.from_uuid(_uuid(model)), name=f"brainlens {__version__}",
            model_name=f"model {model[:16]}",
        ),
    )  # fmt: skip
    best = max(probabilities, key=lambda label: probabilities[label])
    group = hd.sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(hd.UID(), "brainlens answer"),
        source_images=[hd.sr.SourceImageForMeasurementGroup.from_source_image(s) for s in sources],
        finding_type=_code(f"class {best}", best),
        measurements=[
            hd.sr.Measurement(
                name=_code(f"p {label}", f"probability of {label}"), value=round(100 * p, 3),
                unit=hd.sr.CodedConcept(*_PERCENT),
            )
            for label, p in probabilities.items()
        ],
    )  # fmt: skip
    return hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=observer),
        procedure_reported=hd.sr.CodedConcept(*_PROCEDURE),
        imaging_measurements=[group],
    )[0]


def _code(value: str, meaning: str) -> Any:
    """A private code: at most 16 characters of value, 64 of meaning."""
    import highdicom as hd

    short = "".join(part.capitalize() for part in value.split())[:16]
    return hd.sr.CodedConcept(short, _SCHEME, meaning[:64])


def _uuid(digest: str) -> str:
    import uuid

    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"brainlens model {digest}"))


def _completed(evidence: Sequence[Any]) -> None:
    """Empty where the standard wants an attribute that may be empty, and old files have none.

    Their dates and times may be of the form that ACR-NEMA had, as 1993.08.01 and 09:11:56.
    """
    for data in evidence:
        for name in _MAY_BE_EMPTY:
            if name not in data:
                setattr(data, name, "")
        for name, kind in _WHEN.items():
            said = str(data[name].value or "")
            conforming = _conforming(said, kind)
            if conforming != said:
                setattr(data, name, conforming)


def _conforming(said: str, kind: str) -> str:
    """A date (DA) or time (TM) as DICOM writes it; empty where it can be none."""
    from pydicom import valuerep

    plain = said.strip().replace("." if kind == "DA" else ":", "")
    try:
        getattr(valuerep, kind)(plain)
    except ValueError:
        return ""
    return plain
