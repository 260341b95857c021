"""Making alpaca-py send each request once, wait no longer than told to, and end when told to."""

import asyncio
from typing import Any

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter


def tame(client: Any, timeout_s: float) -> None:
    """Take from a client of the SDK's its own attempts (three more posts after a 429 or a 504, and
    0 of them cannot be asked for), and give it a timeout, which it has none of."""
    client._retry, client._retry_codes = 0, []
    adapter = _Patient(timeout_s)
    client._session.mount("https://", adapter)
    client._session.mount("http://", adapter)


async def end_stream(client: Any, consuming: "asyncio.Task[Any]") -> None:
    """End a stream of the SDK's that ``consuming`` reads. Before Python 3.12 its waiting can
    swallow a cancellation; that its connection is gone ends it for certain."""
    consuming.cancel()
    await client.close()
    await asyncio.gather(consuming, return_exceptions=True)


class _Patient(HTTPAdapter):
    """Waits for an answer, but not without end."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        super().__init__(max_retries=0)

    def send(self, request: PreparedRequest, *rest: Any, **options: Any) -> Response:
        options["timeout"] = options.get("timeout") or self._timeout_s
        return super().send(request, *rest, **options)
