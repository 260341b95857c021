"""Where senders post their signals: no token, but a key in the address."""

import asyncio
import logging
from typing import Annotated, cast

from fastapi import Path, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.api.errors import WEBHOOKS, error_response
from engine.api.routing import new_router
from engine.api.signal_desk import WebhookServices, told
from engine.api.wire import answer
from engine.contracts.signals import MAX_SIGNAL_BYTES, SignalAnswer
from engine.errors import SignalRefused, StoreError
from engine.services.signal_checks import Delivery

log = logging.getLogger("quarterdeck.inbox")

router = new_router("inbox", prefix="")

BODY_PATIENCE_S = 10.0
"""A body that takes longer to come is given up: senders of signals are impatient themselves."""

REFUSALS = {
    "unknown_key": 404,
    "too_slow": 408,
    "incomplete": 400,
    "too_large": 413,
    "wrong_type": 415,
    "not_utf8": 400,
    "empty": 400,
    "unsigned": 401,
    "wrong_signature": 401,
    "stale": 400,
    "wrong_address": 403,
    "no_proxy": 403,
    "invalid": 422,
    "unknown_symbol": 422,
    "too_many": 429,
    "unavailable": 503,
}
"""The HTTP status of each reason why a signal is refused."""

BODY = {
    "requestBody": {
        "required": True,
        "description": f"A message of docs/tradingview.md, at most {MAX_SIGNAL_BYTES} bytes.",
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "example": {"action": "open", "side": "long", "symbol": "BTCUSDT"},
            },
            "text/plain": {"schema": {"type": "string"}, "example": "buy BTCUSDT 100 USDT"},
        },
    }
}


@router.post("/webhook/{key}", response_model=SignalAnswer, openapi_extra=BODY,
             summary="Send a signal to a bot")  # fmt: skip
async def webhook(
    key: Annotated[str, Path(description="of the bot's address for signals")], request: Request
) -> Response:
    """Answered once the signal is durable; 503 when it could not be kept: send it again. The same
    signal sent again is answered alike, and acted on once."""
    webhooks = cast(WebhookServices, request.app.state.services.webhooks)
    try:
        bot = await webhooks.admit(key)
        body = await read_body(request)
        peer = request.client.host if request.client else ""
        kept = await webhooks.receive(bot, Delivery(peer, _headers(request), body))
    except SignalRefused as refused:
        return refusal(refused)
    except StoreError as error:
        log.warning("a signal could not be kept: %s", error.message)
        return refusal(SignalRefused("unavailable", f"{error.message} Send it again."))
    return answer(told(kept))


class WebhookLane:
    """ASGI middleware that takes webhooks past the router, to the very route that it would find:
    its way there costs more than the signal itself (tests/bench/test_webhooks.py)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a webhook; let everything else go its way."""
        key = _key_of(scope)
        if not key:
            await self._app(scope, receive, send)
            return
        response = await webhook(key, Request(scope, receive))
        await response(scope, receive, send)


def _key_of(scope: Scope) -> str:
    """The key in a webhook's address; empty for anything else."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return ""
    start, _, key = scope["path"].rpartition("/")
    return key if f"{start}/" == WEBHOOKS else ""


def refusal(refused: SignalRefused) -> Response:
    """The answer to a signal that is not taken."""
    response = error_response(REFUSALS[refused.code], refused.code, refused.message)
    if refused.retry_after_s:
        response.headers["Retry-After"] = f"{refused.retry_after_s:.0f}"
    return response


async def read_body(request: Request) -> bytes | None:
    """The whole body, or None as soon as it is known to be too large; a chunked one is counted as
    it comes. Raises SignalRefused when it does not come."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > MAX_SIGNAL_BYTES:
        return None
    body = b""
    try:
        async with asyncio.timeout(BODY_PATIENCE_S):
            is_whole = False
            while not is_whole:
                message = await request.receive()
                if message["type"] != "http.request":
                    raise SignalRefused("incomplete", "The body broke off; send it again.")
                body += message.get("body", b"")
                is_whole = not message.get("more_body", False)
                if len(body) > MAX_SIGNAL_BYTES:
                    return None
    except TimeoutError as error:
        raise SignalRefused(
            "too_slow", f"The body did not come within {BODY_PATIENCE_S:.0f} s; send it again."
        ) from error
    return body


def _headers(request: Request) -> dict[str, str]:
    """By their lower-case names; those told more than once joined, as HTTP has it."""
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        found[name] = f"{found[name]},{value}" if name in found else value
    return found
