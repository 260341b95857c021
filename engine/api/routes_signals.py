"""The inbox: what came, what became of it, replays, test signals, and the addresses of bots."""

from typing import Annotated

from fastapi import Path, Query, Response

from engine.api.routes_inbox import refusal
from engine.api.routing import Actor, BotKey, Services, new_router
from engine.api.wire import answer
from engine.contracts.signals import (
    ReplayRequest,
    RotateRequest,
    SignalAnswer,
    SignalDetail,
    SignalFilter,
    SignalPage,
    TestSignalRequest,
    WebhookSecrets,
    WebhookView,
)
from engine.errors import SignalRefused

router = new_router("signals")

SignalId = Annotated[str, Path(max_length=64, description="a signal's id")]


@router.get("/signals", response_model=SignalPage, summary="Signals, newest first")
def signals(services: Services, chosen: Annotated[SignalFilter, Query()]) -> Response:
    """A page of the inbox, with how many match."""
    return answer(services.signals.list(chosen))


@router.post("/signals/test", response_model=SignalAnswer, summary="Send a test signal")
def send_test(request: TestSignalRequest, services: Services, actor: Actor) -> Response:
    """Goes the way of a real one: it is acted on."""
    try:
        return answer(services.signals.send_test(request, actor))
    except SignalRefused as refused:
        return refusal(refused)


@router.get("/signals/{signal_id}", response_model=SignalDetail, summary="One signal")
def signal(signal_id: SignalId, services: Services) -> Response:
    """With its body as it came."""
    return answer(services.signals.get(signal_id))


@router.post("/signals/{signal_id}/replay", response_model=SignalAnswer,
             summary="Act on a signal again")  # fmt: skip
def replay(
    signal_id: SignalId, services: Services, actor: Actor, request: ReplayRequest | None = None
) -> Response:
    """As if it came now; 409 without ``force`` for one that was acted on."""
    force = request is not None and request.force
    return answer(services.signals.replay(signal_id, force, actor))


@router.get("/bots/{key}/webhook", response_model=WebhookView, summary="A bot's address")
def webhook(key: BotKey, services: Services) -> Response:
    """Its key is hidden."""
    return answer(services.signals.webhook(key))


@router.post("/bots/{key}/webhook", response_model=WebhookSecrets,
             summary="Show a bot's address with its key")  # fmt: skip
def show_webhook(key: BotKey, services: Services, actor: Actor) -> Response:
    """And its signing secret. Who asks is in the audit trail."""
    return answer(services.signals.show_webhook(key, actor))


@router.post("/bots/{key}/webhook/rotate", response_model=WebhookSecrets,
             summary="Make a bot's key and secret anew")  # fmt: skip
def rotate_webhook(
    key: BotKey, services: Services, actor: Actor, request: RotateRequest | None = None
) -> Response:
    """The old ones end at once."""
    chosen = request or RotateRequest()
    return answer(services.signals.rotate_webhook(key, chosen, actor))
