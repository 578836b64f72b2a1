"""The number format follows what the processor multiplies itself."""

from __future__ import annotations

import pytest

from brainlens.core import processors


@pytest.mark.parametrize(("has", "chosen"), [(True, "bf16-mixed"), (False, "32-true")])
def test_auto_is_bf16_only_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, has: bool, chosen: str
) -> None:
    monkeypatch.setattr(processors, "multiplies_bf16", lambda: has)
    assert processors.choose_precision("auto", "cpu") == chosen
    assert processors.choose_precision("32-true", "cpu") == "32-true"
    assert processors.choose_precision("bf16-mixed", "cpu") == "bf16-mixed"
