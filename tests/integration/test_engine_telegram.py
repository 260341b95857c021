"""The engine as it is wired, commanded from Telegram: from its API to its bots and its end."""

import threading
import time
from pathlib import Path

from tests.fakes.telegram_server import CHAT, TOKEN, USER, TelegramServer, telegram_server
from tests.support.client import eventually
from tests.support.live_engine import LiveEngine, live_engine


def said(telegram: TelegramServer, text: str, count: int) -> str:
    """Write, and wait for the answer of this number."""
    telegram.date = int(time.time())
    telegram.write(text)
    return eventually(lambda: telegram.texts, lambda texts: len(texts) >= count)[-1][1]


def test_the_engine_is_commanded_and_ends_at_once(tmp_path: Path) -> None:
    with telegram_server() as telegram, live_engine(tmp_path, telegram_url=telegram.url) as engine:
        _add_channel(engine)
        eventually(lambda: telegram.polls, bool)
        assert "Kill switch: off\nBots: none" in said(telegram, "/status", 1)
        assert "Pull the kill switch?" in said(telegram, "/kill", 2)
        [row] = telegram.sent[-1]["reply_markup"]["inline_keyboard"]
        telegram.press(row[0]["callback_data"])
        eventually(lambda: telegram.texts[-1][1], lambda one: one.startswith("The kill switch is"))
        switch = engine.http.get("/api/v1/kill").json()
        assert (switch["level"], switch["actor"]) == ("cancel_orders", f"telegram:{USER}")
        eventually(lambda: len(_threads()), lambda count: count == 1)
    assert not _threads()  # though a poll waits for half a minute


def _threads() -> list[str]:
    """Those that read Telegram."""
    return [one.name for one in threading.enumerate() if one.name.startswith("telegram:")]


def _add_channel(engine: LiveEngine) -> None:
    fields = {"token": TOKEN, "chat": CHAT, "commands": "trade", "users": str(USER)}
    body = {"name": "Phone", "kind": "telegram", "fields": fields}
    added = engine.http.post("/api/v1/channels", json=body)
    assert added.is_success, added.text
