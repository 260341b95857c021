"""The calls about signals from outside, and about a bot's address for them."""

from urllib.parse import quote

from engine.contracts.messages import MessageReading, ReadRequest
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
from panel.connection import Connection

SIGNALS = "/api/v1/signals"


class SignalCalls(Connection):
    """Every one raises EngineOff or EngineRefused."""

    def signals(self, chosen: SignalFilter | None = None) -> SignalPage:
        """A page of the signals that match, newest first."""
        query = (chosen or SignalFilter()).model_dump(mode="json")
        return self._get(SignalPage, SIGNALS, query)

    def signal(self, signal_id: str) -> SignalDetail:
        """One signal with its raw body."""
        return self._get(SignalDetail, f"{SIGNALS}/{quote(signal_id, safe='')}")

    def replay_signal(self, signal_id: str, *, force: bool = False) -> SignalAnswer:
        """Let its bot act on it once more, as a signal of its own; ``force`` also on what was
        acted on already."""
        path = f"{SIGNALS}/{quote(signal_id, safe='')}/replay"
        return self._post(SignalAnswer, path, ReplayRequest(force=force))

    def test_signal(self, request: TestSignalRequest) -> SignalAnswer:
        """Send a body as an outside sender would; what such a one would be told."""
        return self._post(SignalAnswer, f"{SIGNALS}/test", request)

    def read_message(self, request: ReadRequest) -> MessageReading:
        """What a body would be understood as; nothing follows from it."""
        return self._post(MessageReading, f"{SIGNALS}/read", request)

    def webhooks(self) -> list[WebhookView]:
        """Every bot that listens, its key masked."""
        return self._get(list[WebhookView], "/api/v1/webhooks")

    def webhook(self, bot_id: str) -> WebhookView:
        """A bot's address, its key masked."""
        return self._get(WebhookView, _webhook(bot_id))

    def webhook_secrets(self, bot_id: str) -> WebhookSecrets:
        """The address with its key, and what signs; the engine writes down who asked."""
        return self._post(WebhookSecrets, _webhook(bot_id))

    def rotate_webhook(self, bot_id: str, request: RotateRequest) -> WebhookSecrets:
        """A new key, a new signing secret or both; the old ones end at once."""
        return self._post(WebhookSecrets, f"{_webhook(bot_id)}/rotate", request)


def _webhook(bot_id: str) -> str:
    return f"/api/v1/bots/{quote(bot_id, safe='')}/webhook"
