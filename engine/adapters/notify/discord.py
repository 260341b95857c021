"""Messages to a channel of Discord, through a webhook."""

import re
from collections.abc import Mapping
from typing import Any

from engine.adapters.notify.texts import fitted
from engine.adapters.notify.wire import (
    TIMEOUT_S,
    again,
    failed_call,
    masked,
    pause_s,
    quiet,
)
from engine.domain.records import Level
from engine.errors import ChannelBusy, ChannelError, ChannelRefused, ChannelUnsure
from engine.ports.notify import Message, Receipt

LONGEST_CONTENT = 2_000
LONGEST_TEXT = 4_096
MARKS = re.compile(r"([\\*_~`|>#\[\]()\-])")
COLORS: Mapping[Level, int] = {Level.ERROR: 0xD9373C, Level.WARNING: 0xE8A33D}
COLOR = 0x3D7BE8
AGAIN = "make a new one under Server settings, Integrations, Webhooks, and copy its URL"
WORDS: Mapping[int, str] = {
    10015: f"Discord knows no such webhook (it was deleted): {AGAIN}.",
    50027: f"Discord refuses the webhook's token: {AGAIN}.",
    50035: "Discord refuses the message's form.",
}


class Discord:
    """One webhook. The title is the message, the text a box below it in the colour of its level;
    no letter of them is taken for formatting, and nobody is mentioned."""

    can_find = False
    """A webhook cannot list what it wrote."""

    def __init__(self, webhook: str, *, username: str = "", timeout_s: float = TIMEOUT_S) -> None:
        quiet("discord_webhook")
        self._webhook = webhook
        self._username = username
        self._timeout_s = timeout_s
        self._secrets = (webhook, webhook.rpartition("/")[2])

    def send(self, message: Message) -> Receipt:
        """See Notifier."""
        from discord_webhook import DiscordWebhook

        title, text = message.title.strip(), message.text.strip()
        content = f"**{fitted(plain(title), LONGEST_CONTENT - 4)}**" if title else ""
        embed = {"description": fitted(plain(text), LONGEST_TEXT),
                 "color": COLORS.get(message.level, COLOR)}  # fmt: skip
        webhook = DiscordWebhook(
            self._webhook, content=content,
            embeds=[embed] if text and text != title else [], username=self._username or None,
            allowed_mentions={"parse": []}, timeout=self._timeout_s, wait=True,
        )  # fmt: skip
        try:
            # Not `execute`, which logs the answer and hides its status behind a page of HTML.
            response = webhook.api_post_request()
        except Exception as error:  # noqa: BLE001  # whatever it is, the request may be out
            raise failed_call("Discord", error) from None
        if response.request.method != "POST":  # followed to where a question was asked instead
            raise ChannelRefused(f"The webhook's address has moved: {AGAIN}.", field="webhook")
        body = self._body(response)
        number = body.get("id") if isinstance(body, dict) else None
        if not number:
            raise ChannelUnsure("Discord's answer cannot be read; the message may have arrived.",
                                answer=self._answer(response, body))  # fmt: skip
        return Receipt(str(number), f"Discord: message {number}")

    def find(self, message: Message) -> Receipt | None:
        """See Notifier."""
        raise NotImplementedError("A webhook of Discord cannot list what it wrote.")

    def verify(self) -> str:
        """See Notifier."""
        import requests

        try:
            response = requests.get(self._webhook, timeout=self._timeout_s)
            body = self._body(response)
        except requests.RequestException as error:
            meant = failed_call("Discord", error)
            raise again("Discord", meant) if isinstance(meant, ChannelUnsure) else meant from None
        except ChannelUnsure as unsure:
            raise again("Discord", unsure) from None
        if not isinstance(body, dict) or "channel_id" not in body:
            raise ChannelBusy("Discord's answer cannot be read.", answer=f"{response.status_code}")
        return f"Discord knows the webhook '{body.get('name')}', of channel {body['channel_id']}."

    # --- within

    def _body(self, response: Any) -> Any:
        """What an answer of success says; None where it says nothing that can be read."""
        try:
            body = response.json()
        except ValueError:
            body = None
        if 200 <= response.status_code < 300:
            return body
        raise self._meaning(response, body if isinstance(body, dict) else {})

    def _meaning(self, response: Any, body: Mapping[str, Any]) -> ChannelError:
        status, answer = response.status_code, self._answer(response, body)
        if status == 429:
            pause = pause_s(body.get("retry_after", response.headers.get("Retry-After", "")))
            whom = "from this machine's address" if body.get("global") else "for this webhook"
            return ChannelBusy(f"Discord asks for a pause: too many messages {whom}.",
                               answer=answer, retry_after_s=pause)  # fmt: skip
        if status in (408, 503):
            pause = pause_s(response.headers.get("Retry-After", ""))
            return ChannelBusy("Discord is out of order for the moment; nothing was sent.",
                               answer=answer, retry_after_s=pause)  # fmt: skip
        if status >= 500:
            return ChannelUnsure("Discord failed over the message; it may have taken it.",
                                 answer=answer)  # fmt: skip
        code = body.get("code", 0)
        by_status = {401: WORDS[50027], 404: WORDS[10015]}.get(status)
        told = WORDS.get(code) or by_status or f"Discord refuses the message: {answer}."
        field = "webhook" if status in (401, 403, 404) else None
        return ChannelRefused(told, answer=answer, field=field)

    def _answer(self, response: Any, body: Any) -> str:
        """Status, code and words, with the fields that are wrong."""
        said = body if isinstance(body, dict) else {}
        words = " ".join(str(said[name]) for name in ("code", "message", "errors") if name in said)
        return masked(f"{response.status_code}: {words or response.reason}", self._secrets)


def plain(text: str) -> str:
    """``text`` with all that Discord would take for formatting marked as letters."""
    return MARKS.sub(r"\\\1", text)
