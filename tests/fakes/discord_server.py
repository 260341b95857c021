"""Discord's webhooks on the loopback, as documented.

``sent`` is what was written, newest last. Faults of its own: ``rate_limited`` (429; the value is
retry_after), ``rate_limited_everywhere`` (the same, of all webhooks), ``wrong_form`` (50035),
``bad_gateway`` (502, HTML), ``moved`` (to another address).
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.provider_server import HTML, Asked, ProviderServer, Reply, serving_provider

WEBHOOK = "112233445566778899"
TOKEN = "test-token-of-the-loopback-discord-webhook-0123456789abcdefghijkl"
FIELDS = {"content", "username", "embeds", "allowed_mentions", "tts", "attachments", "flags"}
PASSED_OVER = {"timeout", "wait"}
"""Which the SDK sends along."""
LONGEST = {"content": 2_000, "username": 80}
LONGEST_TEXT = 4_096
MARK = re.compile(r"\\([^0-9A-Za-z\s])|[*_~`|]")
"""What is shown as a letter, since it is marked as one, and what is taken for formatting."""


@dataclass
class DiscordServer(ProviderServer):
    """A server with one webhook as a test sees it; ``left`` messages may be sent before the next
    is too many (documented: 5 in 2 s)."""

    token: str = TOKEN
    is_deleted: bool = False
    left: int = 1_000
    sent: list[dict[str, Any]] = field(default_factory=list)

    @property
    def webhook(self) -> str:
        """Its URL."""
        return f"{self.url}/api/webhooks/{WEBHOOK}/{self.token}"

    @property
    def texts(self) -> list[str]:
        """What people read of each message: its content, and the box below it."""
        return [_shown(one) for one in self.sent]

    def sends(self, asked: Asked) -> bool:
        """See ProviderServer."""
        return asked.method == "POST"

    def fault(self, name: str, value: str, asked: Asked) -> Reply:
        """See ProviderServer."""
        if name == "down":
            return error(503, 0, "503: Service Unavailable")
        if name == "broken":
            return error(500, 0, "500: Internal Server Error")
        if name == "bad_gateway":
            return Reply(502, HTML)
        if name == "wrong_form":
            wrong = {
                "embeds": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "Too long"}]}
            }
            return error(400, 50035, "Invalid Form Body", errors=wrong)
        if name == "moved":
            return Reply(301, "", {"Location": f"{self.url}{asked.path}"})
        assert name.startswith("rate_limited"), name
        return limited(float(value or 1), is_global=name.endswith("everywhere"))

    def answer(self, asked: Asked) -> Reply:
        """See ProviderServer."""
        found = re.fullmatch(r"/api(?:/v\d+)?/webhooks/(\d+)/([\w-]+)", asked.path)
        if found is None:
            return error(404, 0, "404: Not Found")
        if found[1] != WEBHOOK or self.is_deleted:
            return error(404, 10015, "Unknown Webhook")
        if found[2] != self.token:
            return error(401, 50027, "Invalid Webhook Token")
        if asked.method == "GET":
            known = {"id": WEBHOOK, "type": 1, "name": "Captain Hook", "channel_id": "998877",
                     "guild_id": "554433", "token": self.token, "application_id": None}  # fmt: skip
            return Reply(200, known)
        with self.lock:
            return self._take(asked)

    def _take(self, asked: Asked) -> Reply:
        if self.left <= 0:
            return limited(0.65)
        self.left -= 1
        if asked.headers.get("content-type") != "application/json":
            return error(400, 50006, "Cannot send an empty message")
        body = json.loads(asked.body)
        wrong = _wrong(body)
        if wrong:
            return error(400, 50035, "Invalid Form Body", errors=wrong)
        if not body.get("content") and not body.get("embeds"):
            return error(400, 50006, "Cannot send an empty message")
        self.sent.append(body)
        pace = {"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": str(min(self.left, 5)),
                "X-RateLimit-Reset-After": "2", "X-RateLimit-Bucket": "b"}  # fmt: skip
        if asked.query.get("wait", "").lower() not in ("true", "1"):
            return Reply(204, None, pace)
        made = {"id": str(10**17 + len(self.sent)), "channel_id": "998877", "webhook_id": WEBHOOK,
                "content": body.get("content", ""), "embeds": body.get("embeds", [])}  # fmt: skip
        return Reply(200, made, pace)


def _wrong(body: Mapping[str, Any]) -> dict[str, Any]:
    """What is wrong with each field of a message."""
    wrong = dict.fromkeys(set(body) - FIELDS - PASSED_OVER, "This field is not known.")
    for name, most in LONGEST.items():
        if len(str(body.get(name) or "")) > most:
            wrong[name] = f"Must be {most} or fewer in length."
    if any(len(one.get("description", "")) > LONGEST_TEXT for one in body.get("embeds", [])):
        wrong["embeds"] = f"Must be {LONGEST_TEXT} or fewer in length."
    if body.get("allowed_mentions") != {"parse": []}:
        wrong["allowed_mentions"] = "A test wants nobody to be mentioned."
    return {
        name: {"_errors": [{"code": "WRONG", "message": words}]} for name, words in wrong.items()
    }


def _shown(message: Mapping[str, Any]) -> str:
    parts = [str(message.get("content") or "")]
    parts += [one["description"] for one in message.get("embeds") or []]
    return MARK.sub(lambda hit: hit[1] or "", "\n".join(part for part in parts if part))


def error(status: int, code: int, words: str, **more: Any) -> Reply:
    """An error as Discord writes one."""
    return Reply(status, {"message": words, "code": code, **more})


def limited(pause_s: float, *, is_global: bool = False) -> Reply:
    """Too many messages, as Discord says it."""
    body = {"message": "You are being rate limited.", "retry_after": pause_s, "global": is_global}
    scope = "global" if is_global else "user"
    headers = {"Retry-After": str(round(pause_s + 0.5)), "X-RateLimit-Scope": scope,
               "Via": "1.1 google"}  # fmt: skip
    return Reply(429, body, headers)


@contextmanager
def discord_server(port: int = 0, **changes: Any) -> Iterator[DiscordServer]:
    """The server on a port of the loopback until the end of the block."""
    with serving_provider(DiscordServer(**changes), port) as server:
        yield server
