"""Telegram's bot API on the loopback: messages, buttons, and long polling as documented.

``sent`` is what the bot wrote, ``write`` and ``press`` are what people do. Faults of its own:
``rate_limited`` (429; the value is retry_after), ``bad_gateway`` (502), ``wrong_number`` (the chat
is not found), ``blocked``, ``kicked``, ``too_long``, ``migrated`` (the value is the new number);
they and the common ones are for the methods of ``faulty``.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.provider_server import Asked, ProviderServer, Reply, serving_provider

TOKEN = "123456789:test-token-of-the-loopback-telegram-1"
CHAT = "4242"
USER = 4242
LONGEST = 4_096
WRITTEN_AT = 1_770_000_000
"""When messages are sent unless a test says otherwise: 2026-02-02T02:40Z."""
FIELDS: Mapping[str, set[str]] = {
    "getMe": set(),
    "getChat": {"chat_id"},
    "sendMessage": {"chat_id", "text", "entities", "reply_markup", "link_preview_options"},
    "getUpdates": {"offset", "limit", "timeout", "allowed_updates"},
    "answerCallbackQuery": {"callback_query_id", "text"},
    "setMyCommands": {"commands"},
}
REFUSED: Mapping[str, tuple[int, str]] = {
    "down": (503, "Service Unavailable"),
    "broken": (500, "Internal Server Error"),
    "bad_gateway": (502, "Bad Gateway"),
    "wrong_number": (400, "Bad Request: chat not found"),
    "blocked": (403, "Forbidden: bot was blocked by the user"),
    "kicked": (403, "Forbidden: bot was kicked from the group chat"),
    "too_long": (400, "Bad Request: message is too long"),
    "unknown": (400, "Bad Request: something that nobody has heard of"),
}


@dataclass
class TelegramServer(ProviderServer):
    """The bot as a test sees it."""

    token: str = TOKEN
    chats: set[str] = field(default_factory=lambda: {CHAT})
    sent: list[dict[str, Any]] = field(default_factory=list)
    answered: list[dict[str, str]] = field(default_factory=list)
    commands: list[dict[str, str]] = field(default_factory=list)
    waiting: list[dict[str, Any]] = field(default_factory=list)
    faulty: set[str] = field(default_factory=lambda: {"sendMessage"})
    has_webhook: bool = False
    date: int = WRITTEN_AT
    polls: int = 0
    _updates: int = 1_000

    def __post_init__(self) -> None:
        self.changed = threading.Condition(self.lock)

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Chat and text of each message that was taken, in order."""
        return [(one["chat_id"], one["text"]) for one in self.sent]

    def write(self, text: str, chat: str = CHAT, user: int = USER) -> int:
        """Somebody writes to the bot, at ``date``; the update's number."""
        return self._happens({"message": _message(chat, text, user, self.date)})

    def press(self, data: str, chat: str = CHAT, user: int = USER) -> int:
        """Somebody presses a button below a message of the bot's."""
        query = {"id": f"press-{self._updates}", "from": _user(user), "chat_instance": "1",
                 "message": _message(chat, "a question", 1), "data": data}  # fmt: skip
        return self._happens({"callback_query": query})

    def _happens(self, what: Mapping[str, Any]) -> int:
        with self.changed:
            self._updates += 1
            self.waiting.append({"update_id": self._updates, **what})
            self.changed.notify_all()
            return self._updates

    def release(self) -> None:
        """See ProviderServer; polls end too."""
        super().release()
        with self.changed:
            self.changed.notify_all()

    def sends(self, asked: Asked) -> bool:
        """See ProviderServer."""
        return asked.path.rpartition("/")[2] in self.faulty

    def fault(self, name: str, value: str, asked: Asked) -> Reply:
        """See ProviderServer."""
        if name == "rate_limited":
            words = f"Too Many Requests: retry after {value}"
            return error(429, words, {"retry_after": int(value)} if value else None)
        if name == "migrated":
            words = "Bad Request: group chat was upgraded to a supergroup chat"
            return error(400, words, {"migrate_to_chat_id": int(value)})
        return error(*REFUSED[name])

    def answer(self, asked: Asked) -> Reply:
        """See ProviderServer."""
        place, _, method = asked.path.rpartition("/")
        if place != f"/bot{self.token}":
            return error(401, "Unauthorized")
        if method not in FIELDS:
            return error(404, "Not Found")
        form = asked.form or dict(asked.query)
        if set(form) - FIELDS[method]:
            return error(400, f"Bad Request: unknown fields {sorted(set(form) - FIELDS[method])}")
        if method == "getUpdates":
            return self._poll(form)
        with self.lock:
            return self._do(method, form)

    def _do(self, method: str, form: Mapping[str, str]) -> Reply:
        if method == "getMe":
            me = {"id": 123456789, "is_bot": True, "first_name": "Quarterdeck",
                  "username": "quarterdeck_test_bot"}  # fmt: skip
            return fine(me)
        if method == "answerCallbackQuery":
            self.answered.append(dict(form))
            return fine(True)
        if method == "setMyCommands":
            self.commands = json.loads(form["commands"])
            return fine(True)
        chat = form.get("chat_id", "")
        if chat not in self.chats:
            return error(400, "Bad Request: chat not found")
        if method == "getChat":
            extra = {"accent_color_id": 0, "max_reaction_count": 11,
                     "accepted_gift_types": dict.fromkeys(GIFTS, False)}  # fmt: skip
            return fine({**_chat(chat), **extra})
        return self._take(chat, form)

    def _take(self, chat: str, form: Mapping[str, str]) -> Reply:
        text = form.get("text", "")
        if not text.strip():
            return error(400, "Bad Request: message text is empty")
        if len(text.encode("utf-16-le")) // 2 > LONGEST:
            return error(*REFUSED["too_long"])
        made = {**form, "message_id": len(self.sent) + 1}
        for name in ("entities", "reply_markup", "link_preview_options"):
            if name in form:
                made[name] = json.loads(form[name])
        self.sent.append(made)
        return fine({**_message(chat, text, 1), "message_id": made["message_id"]})

    def _poll(self, form: Mapping[str, str]) -> Reply:
        """The second of two polls ends the first."""
        if self.has_webhook:
            words = "Conflict: can't use getUpdates method while webhook is active"
            return error(409, words)
        offset, timeout_s = int(form.get("offset", "0")), int(form.get("timeout", "0"))
        with self.changed:
            self.polls += 1
            mine = self.polls
            self.changed.notify_all()
            self.waiting = [one for one in self.waiting if one["update_id"] >= offset]
            self.changed.wait_for(
                lambda: self.waiting or self.polls != mine or self.released.is_set(), timeout_s
            )
            if self.polls != mine:
                words = "Conflict: terminated by other getUpdates request; make sure that only one"
                return error(409, f"{words} bot instance is running")
            return fine(self.waiting[: int(form.get("limit", "100"))])


GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription",
         "gifts_from_channels")  # fmt: skip


def _user(number: int) -> dict[str, Any]:
    return {"id": number, "is_bot": False, "first_name": "Ada", "last_name": f"No. {number}"}


def _chat(chat: str) -> dict[str, Any]:
    if chat.startswith("@"):
        return {"id": -1001, "type": "channel", "title": "Alerts", "username": chat[1:]}
    if chat.startswith("-"):
        return {"id": int(chat), "type": "supergroup", "title": "Traders"}
    return {"id": int(chat), "type": "private", "first_name": "Ada"}


def _message(chat: str, text: str, user: int, date: int = WRITTEN_AT) -> dict[str, Any]:
    return {"message_id": 1, "date": date, "chat": _chat(chat), "from": _user(user),
            "text": text}  # fmt: skip


def fine(result: Any) -> Reply:
    """An answer as Telegram writes one."""
    return Reply(200, {"ok": True, "result": result})


def error(status: int, words: str, parameters: Mapping[str, int] | None = None) -> Reply:
    """An error as Telegram writes one."""
    body = {"ok": False, "error_code": status, "description": words}
    return Reply(status, {**body, "parameters": parameters} if parameters else body)


def settings(**changes: str) -> dict[str, str]:
    """What a form gives that fits the bot."""
    return {"token": TOKEN, "chat": CHAT} | changes


@contextmanager
def telegram_server(port: int = 0, **changes: Any) -> Iterator[TelegramServer]:
    """The server on a port of the loopback until the end of the block."""
    with serving_provider(TelegramServer(**changes), port) as server:
        yield server
