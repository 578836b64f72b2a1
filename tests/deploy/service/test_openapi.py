"""The API answers as its description says, whatever requests the description leads to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.deploy.service.conftest import serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def described(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real server's own description, less what answers 501 where its part is not built."""
    with serving(model, tmp_path_factory.mktemp("described") / "s") as running:
        found = schemathesis.openapi.from_url(f"{running.url}/api/v1/openapi.json")
        yield found.exclude(path_regex="style|dicom-sr")


api = schemathesis.pytest.from_fixture("described")


@api.parametrize()
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_answers_are_as_described(case: Any) -> None:
    case.call_and_validate(
        checks=[
            checks.not_a_server_error, status_code_conformance, content_type_conformance,
            response_schema_conformance, response_headers_conformance,
        ],
        timeout=60,
    )  # fmt: skip
