"""Owns the sentence a verdict ends in: comparisons in, plain words out."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]
ALPHA = 0.05
_PLAIN = ("none", "oversample", "classic")


def sentence(document: Document) -> str:
    """One sentence an arm that makes pictures (else an arm), at the ratio validation chose."""
    arms = [arm for arm in document["arms"] if arm not in _PLAIN]
    arms = arms or [arm for arm in document["arms"] if arm != "none"]
    return " ".join(_of_arm(document, arm) for arm in arms)


def chosen_ratio(document: Document, arm: str) -> float:
    """The ratio with the best validation figure, the smaller of equals."""
    own = [row for row in document["rows"] if row["arm"] == arm]
    return float(max(own, key=lambda row: (row["validation"], -row["ratio"]))["ratio"])


def _of_arm(document: Document, arm: str) -> str:
    ratio = chosen_ratio(document, arm)
    found = {
        one["against"]: one
        for one in document["comparisons"]
        if one["arm"] == arm and one["ratio"] == ratio
    }
    plain = found["none"]
    where = f"at {ratio:g} x {document['class']} (chosen on validation)"
    parts = [f"{_points(plain['difference'])} against no added images"]
    if "oversample" in found:
        parts.append(f"{_points(found['oversample']['difference'])} against oversampling")
    figures = f"{'; '.join(parts)}; {where}"
    if shown(plain) and plain["difference"]["value"] < 0:
        return f"{arm} harms: {figures}."
    if all(shown(one) and one["difference"]["value"] > 0 for one in found.values()):
        return f"{arm} helps: {figures}."
    if shown(plain):
        return f"{arm} helps, yet no more than oversampling can be shown: {figures}."
    return f"No evidence that {arm} helps: {figures}."


def shown(one: Document) -> bool:
    """Whether both corrected tests tell a difference."""
    return bool(one["holm_mcnemar"] < ALPHA and one["holm_bootstrap"] < ALPHA)


def _points(difference: Document) -> str:
    text = f"{100 * difference['value']:+.1f} points"
    if difference["low"] is None:
        return text
    return f"{text} (95 % {100 * difference['low']:+.1f} to {100 * difference['high']:+.1f})"
