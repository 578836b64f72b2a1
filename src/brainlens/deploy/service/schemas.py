"""Owns the shapes of the API's answers, for its documentation and for clients that check them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

ID = r"^[0-9a-f]{16}$"
Probability = float | None


class Shown(BaseModel):
    """What `/values` sends: pixels from top left, little-endian, low..high over all its bits."""

    width: int
    height: int
    bits: Literal[8, 16]
    low: float
    high: float
    window: tuple[float, float] = Field(description="The values shown black and white at first.")
    inverted: bool


class Heat(BaseModel):
    """Where the evidence of a tumour lies: a grid over the whole picture."""

    height: int
    width: int
    data: str = Field(description="Base64 of height x width bytes, row by row; 255 is most.")


class Similar(BaseModel):
    """A known case that looks alike to the model."""

    name: str
    label: str
    distance: float | None


class SliceReading(BaseModel):
    """What is said of one slice."""

    index: int
    study: int
    name: str
    digest: str = Field(description="SHA-256 of the file.")
    width: int
    height: int
    facts: dict[str, Any]
    shown: Shown
    suspicion: Probability = Field(description="1 less the probability of none; null if refused.")
    predicted: str
    confidence: float
    probabilities: dict[str, float]
    candidates: list[str] = Field(description="The conformal set at the reading's coverage.")
    refusal: str = Field(description="Why it cannot be judged; empty where it can.")
    novelty: float | None
    flags: list[str]
    similar: list[Similar]
    heat: Heat | None


class Pooled(BaseModel):
    """The mean over a study's most suspicious slices; to sort by, not calibrated."""

    predicted: str
    confidence: float
    probabilities: dict[str, float]
    suspicion: float
    from_: list[int] = Field(alias="from", description="The slices pooled.")
    judged: int
    refused: int


class Study(BaseModel):
    """Slices that belong together: a series, a volume, a folder, or a picture by itself."""

    title: str
    kind: str
    slices: list[int]
    pooled: Pooled | None


class ModelName(BaseModel):
    """Which model answered."""

    name: str
    digest: str


class Unreadable(BaseModel):
    """A file among the others that could not be read."""

    name: str
    code: str
    message: str


class Reading(BaseModel):
    """The answer to one upload."""

    model_config = ConfigDict(extra="allow")  # entry and feedback, once it is in the history

    id: str
    at: str
    name: str
    reader: str
    coverage: float
    digest: str
    seconds: float
    use: str
    model: ModelName
    labels: list[str]
    studies: list[Study]
    slices: list[SliceReading]
    unreadable: list[Unreadable]


class Line(BaseModel):
    """A reading in the history."""

    id: str
    entry: int
    at: str
    reader: str
    name: str
    slices: int
    studies: int
    predicted: str
    confidence: Probability
    suspicion: Probability
    model: str
    input: str


class Lines(BaseModel):
    """A page of the history, and the audit log's head."""

    readings: list[Line]
    next: int | None = Field(description="Give it as `before` for the next page.")
    audit: dict[str, Any]


class Said(BaseModel):
    """What a reader says of a slice, or with no slice, of a whole reading."""

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["agree", "other", "note"]
    slice: int | None = Field(None, ge=0, le=100_000)
    label: str = Field("", max_length=120, description="With `other`: one of the labels.")
    note: str = Field("", max_length=4000)
    reader: str = Field("", max_length=80)


class Saved(BaseModel):
    """Written: the number of its entry in the audit log."""

    entry: int


class Enlarged(BaseModel):
    """A picture made larger or otherwise changed: never for a diagnosis."""

    picture: str = Field(description="Base64 of a PNG.")
    before: str = Field(description="Base64 of a PNG of what went in.")
    width: int
    height: int
    method: str
    mark: str
    psnr: float | None = None
    ssim: float | None = None
    bicubic_psnr: float | None = None


class ErrorText(BaseModel):
    """One refusal."""

    code: str
    message: str
    next: str


class Error(BaseModel):
    """What every 4xx and 5xx answers."""

    error: ErrorText


class Ready(BaseModel):
    """Whether work can be done."""

    status: str
