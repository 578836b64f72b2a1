"""The API answers as its description says, whatever requests the description leads to."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.deploy.service.conftest import Server

CHECKS: list[Any] = [
    checks.not_a_server_error, status_code_conformance, content_type_conformance,
    response_schema_conformance, response_headers_conformance,
]  # fmt: skip
EXAMPLES = 8  # of each operation


@pytest.mark.slow
def test_answers_are_as_described(running: Server) -> None:
    """All operations but those that answer 501 where their part is not built."""
    described = schemathesis.openapi.from_url(f"{running.url}/api/v1/openapi.json")
    tried = set()
    for found in described.exclude(path_regex="style|dicom-sr").get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]
        tried.add(operation.label)
        run(operation.as_strategy())
    assert {"POST /api/v1/classify", "POST /api/v1/enhance", "GET /api/v1/readings"} <= tried


def run(cases: Any) -> None:
    """Some requests of one operation."""

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def answered(case: Any) -> None:
        case.call_and_validate(checks=CHECKS, timeout=60)

    answered()
