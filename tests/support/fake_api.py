"""An HTTP client of the real API over any services, for the length of a block."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from engine.api.services import EngineServices
from tests.fakes.serve import serving
from tests.support.client import NO_TLS

API = "/api/v1"


@contextmanager
def api_over(services: EngineServices, app: FastAPI | None = None) -> Iterator[httpx.Client]:
    """Serve ``services`` on a free loopback port; the client carries the token."""
    with serving(services, app=app) as served:
        headers = {"Authorization": f"Bearer {served.token}"}
        with httpx.Client(
            base_url=served.url, headers=headers, trust_env=False, verify=NO_TLS, timeout=60
        ) as http:
            yield http


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The error an answer carries; what the API promises of every failure is asserted."""
    assert response.is_error, f"{response.status_code}: {response.text[:200]}"
    assert response.headers["content-type"] == "application/json"
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == {"code", "message", "details"}
    assert error["message"] and "\n" not in error["message"]
    return error
