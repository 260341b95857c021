"""Whatever is sent to whichever route: no answer is a 5XX, and each is as the document says.

schemathesis makes the requests out of the OpenAPI document, from a fixed seed; they go over
loopback to the real services.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from engine.api.app import all_routes, create_app
from tests.fakes.serve import TEST_TOKEN
from tests.fakes.services import FakeServices
from tests.support.fake_api import error_of
from tests.support.live_engine import LiveEngine, live_engine

EXAMPLES = 6
CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance,
    response_headers_conformance, response_schema_conformance,
]  # fmt: skip
BOT = {
    "name": "known", "market": "simulated", "symbol": "BTC/USDT", "strategy": "rsi",
    "timeframe": "1m", "interval_s": 60, "amount": "100",
}  # fmt: skip
ENDLESS_PATH = "/api/stream"
ENDLESS = f"GET {ENDLESS_PATH}"


@cache
def operations() -> dict[str, Any]:
    """By method and path; made by the first test, not by each process that looks for tests.

    Tokens are tested elsewhere: here every request has the right one.
    """
    document = create_app(FakeServices(0), TEST_TOKEN).openapi()
    for routes in document["paths"].values():
        for operation in routes.values():
            del operation["security"]
    schema: Any = schemathesis.openapi.from_dict(document)
    return {one.ok().label: one.ok() for one in schema.get_all_operations()}


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveEngine]:
    with live_engine(tmp_path_factory.mktemp("schemathesis")) as engine:
        engine.http.post("/api/v1/bots", json=BOT).raise_for_status()
        yield engine


def deletes_last(label: str) -> tuple[bool, str]:
    """The order in which operations are tried: the bot is there for all others."""
    return label.startswith("DELETE"), label


def cases(operation: Any) -> st.SearchStrategy[Any]:
    """Right input and, where there is any, wrong input."""
    right: st.SearchStrategy[Any] = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if not operation.body and not operation.query and not operation.path_parameters:
        return right
    wrong: st.SearchStrategy[Any] = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    return right | wrong


LABELS = sorted(
    (f"{method} {one.path_format}" for one in all_routes() for method in one.methods or ()),
    key=deletes_last,
)


def test_every_operation_of_the_document_is_tried() -> None:
    assert sorted(operations(), key=deletes_last) == LABELS


@pytest.mark.parametrize("label", LABELS)
def test_no_input_breaks_it(live: LiveEngine, label: str) -> None:
    operation: Any = operations()[label]

    @settings(
        max_examples=EXAMPLES, derandomize=True, database=None, deadline=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=cases(operation), is_known=st.booleans())
    def check(case: Any, is_known: bool) -> None:
        if is_known and "key" in case.path_parameters:
            case.path_parameters["key"] = BOT["name"]
        if label == ENDLESS:
            begin_to_read(live, case)
            return
        response = case.call(base_url=live.url, headers=dict(live.http.headers))
        assert response.status_code not in (401, 403)
        case.validate_response(response, checks=CHECKS)

    check()


def begin_to_read(live: LiveEngine, case: Any) -> None:
    """Of what has no end, how it begins."""
    headers = {**(case.headers or {}), **live.http.headers}
    with live.http.stream("GET", ENDLESS_PATH, params=case.query, headers=headers) as response:
        if response.status_code == 200:
            assert response.headers["content-type"].startswith("text/event-stream")
            assert next(response.iter_lines()).startswith("id: ")
        else:
            assert 400 <= response.status_code < 500
            response.read()
            assert error_of(response)["code"]
