"""The engine as it is wired, commanded from Telegram: from its API to its bots and its end."""

import threading
import time
from pathlib import Path
from typing import Any

from tests.fakes.telegram_server import CHAT, TOKEN, USER, TelegramServer, telegram_server
from tests.support.client import eventually
from tests.support.live_engine import LiveEngine, live_engine


def said(telegram: TelegramServer, words: str) -> dict[str, Any]:
    """The message with these words, once it is there: alerts come in between."""

    def found() -> list[dict[str, Any]]:
        return [one for one in telegram.sent if words in one["text"]]

    return eventually(found, bool)[0]


def write(telegram: TelegramServer, text: str) -> None:
    """Now, by the engine's clock."""
    telegram.date = int(time.time())
    telegram.write(text)


def test_the_engine_is_commanded_and_ends_at_once(tmp_path: Path) -> None:
    with telegram_server() as telegram, live_engine(tmp_path, telegram_url=telegram.url) as engine:
        _add_channel(engine)
        eventually(lambda: telegram.polls, bool)
        write(telegram, "/status")
        said(telegram, "Kill switch: off\nBots: none")
        write(telegram, "/kill")
        [row] = said(telegram, "Pull the kill switch?")["reply_markup"]["inline_keyboard"]
        telegram.press(row[0]["callback_data"])
        said(telegram, "The kill switch is on: cancel orders.")
        switch = engine.http.get("/api/v1/kill").json()
        assert (switch["level"], switch["actor"]) == ("cancel_orders", f"telegram:{USER}")
        assert len(_threads()) == 1
    assert not _threads()  # though a poll waits for half a minute


def _threads() -> list[str]:
    """Those that read Telegram."""
    return [one.name for one in threading.enumerate() if one.name.startswith("telegram:")]


def _add_channel(engine: LiveEngine) -> None:
    fields = {"token": TOKEN, "chat": CHAT, "commands": "trade", "users": str(USER)}
    body = {"name": "Phone", "kind": "telegram", "fields": fields}
    added = engine.http.post("/api/v1/channels", json=body)
    assert added.is_success, added.text
