"""What a message from outside would be understood as, and who listens to any."""

from fastapi import Response

from engine.api.routing import Services, new_router
from engine.api.wire import answer
from engine.contracts.messages import MessageReading, ReadRequest
from engine.contracts.signals import WebhookView
from engine.domain.messages import MessageError, read_message
from engine.errors import ConfigError

router = new_router("signals")


@router.post("/signals/read", response_model=MessageReading, summary="Read a message")
def read(request: ReadRequest) -> Response:
    """Nothing is kept and nothing follows; 422 with the sentence that its sender would be told."""
    try:
        message = read_message(request.body, request.content_type)
    except MessageError as error:
        raise ConfigError(f"The message cannot be used: {error}.", field="body") from error
    reading = MessageReading(
        order=message.order, sent_at=message.sent_at, is_marked=bool(message.identity)
    )
    return answer(reading)


@router.get("/webhooks", response_model=list[WebhookView], summary="Bots that listen")
def webhooks(services: Services) -> Response:
    """With when each was last heard of, and what it misses; their keys are hidden."""
    ears = [bot.id for bot in services.list_bots() if bot.config.signals is not None]
    return answer([services.signals.webhook(bot_id) for bot_id in ears])
