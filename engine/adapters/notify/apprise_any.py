"""Messages through any of the services that Apprise knows, told by one URL."""

import logging
import re
from typing import Any
from urllib.parse import unquote

from engine.adapters.notify.wire import TIMEOUT_S, masked, pause_s, quiet
from engine.domain.records import Level
from engine.errors import ChannelBusy, ChannelError, ChannelRefused, ChannelUnsure
from engine.ports.notify import Message, Receipt

WIKI = "github.com/caronc/apprise/wiki tells how"
STATUS = re.compile(r"error=(\d{3})\b")
PAUSE = re.compile(r"retry_after\W+([\d.]+)")
UNREACHED = ("NewConnectionError", "NameResolutionError", "ConnectTimeoutError",
             "Connection refused", "CERTIFICATE_VERIFY_FAILED")  # fmt: skip
TOLD = ("Response Details", "Socket Exception")
SHORTEST_SECRET = 4


class AppriseAny:
    """One URL of Apprise, sent to once: without its retries, its threads, or attachments.

    Apprise says yes or no and writes the reason to its log, which is read here, call by call, and
    kept out of ours: it has tokens in it.
    """

    can_find = False
    """Apprise can only send."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        quiet()
        _only_for_us(logging.getLogger("apprise"))
        self._url = url
        self._timeout_s = timeout_s
        parts = re.split(r"[/:@?&=,;#]+", url)[1:]
        known = {*parts, *(unquote(part) for part in parts)}
        self._secrets = tuple(one for one in known if len(one) >= SHORTEST_SECRET)

    def send(self, message: Message) -> Receipt:
        """See Notifier."""
        from apprise import Apprise, NotifyFormat, NotifyType

        service = self._service()
        sender = Apprise(asset=service.asset)
        sender.add(service)
        kinds = {Level.ERROR: NotifyType.FAILURE, Level.WARNING: NotifyType.WARNING}
        with sender.notify(
            body=message.text.strip() or message.title, title=message.title,
            notify_type=kinds.get(message.level, NotifyType.INFO), body_format=NotifyFormat.TEXT,
            log_level=logging.DEBUG,
        ) as result:  # fmt: skip
            lines = [(entry.level, entry.message) for entry in result.logs()]
            is_sent = bool(result)
        if not is_sent:
            raise self._meaning(self._name(service), lines)
        said = " ".join(words for level, words in lines if level == "INFO")
        return Receipt("", masked(said, self._secrets) or f"{self._name(service)} took it.")

    def find(self, message: Message) -> Receipt | None:
        """See Notifier."""
        raise NotImplementedError("Apprise cannot tell what became of a message.")

    def verify(self) -> str:
        """See Notifier. Apprise asks no service anything: the URL alone is looked at."""
        name = self._name(self._service())
        return f"Apprise reads the URL as one of {name}; whether it takes messages, a test shows."

    # --- within

    def _service(self) -> Any:
        """Apprise's plugin for the URL. Raises ChannelRefused when there is none."""
        from apprise import Apprise, AppriseAsset, OverflowMode

        asset = AppriseAsset(
            app_id="Quarterdeck", app_desc="Quarterdeck", async_mode=False, storage_mode="memory",
            default_service_retry=0, service_timeout=2 * self._timeout_s,
            http_redirects=False,  # what is redirected is no longer sent, but asked
        )  # fmt: skip
        service = Apprise.instantiate(self._url, asset=asset, suppress_exceptions=True)
        if service is None:
            raise ChannelRefused(f"Apprise cannot read the URL: {WIKI} each service's is written.",
                                 field="url")  # fmt: skip
        if "cto=" not in self._url:
            service.socket_connect_timeout = self._timeout_s
        if "rto=" not in self._url:
            service.socket_read_timeout = self._timeout_s
        if "overflow=" not in self._url:
            service.overflow_mode = OverflowMode.TRUNCATE  # one message stays one
        return service

    def _name(self, service: Any) -> str:
        """What the service is called; some call themselves by their URL."""
        return masked(service.service_name, self._secrets)

    def _meaning(self, name: str, lines: list[tuple[str, str]]) -> ChannelError:
        """What Apprise's log says of a message that was not sent."""
        loud = [words for level, words in lines if level in ("WARNING", "ERROR", "CRITICAL")]
        low = [words for level, words in lines if level == "DEBUG" and words.startswith(TOLD)]
        answer = masked(" ".join((*loud, *low)), self._secrets)
        status = next((int(hit[1]) for words in loud if (hit := STATUS.search(words))), 0)
        if status in (408, 429, 503):
            told = next((hit[1] for words in low if (hit := PAUSE.search(words))), "")
            return ChannelBusy(f"{name} asks to try later. Nothing was sent.", answer=answer,
                               retry_after_s=pause_s(told))  # fmt: skip
        if 300 <= status < 500:
            return ChannelRefused(
                f"{name} refuses the message: {masked(' '.join(loud), self._secrets)} Check the"
                f" parts of the URL; {WIKI}.", answer=answer, field="url",
            )  # fmt: skip
        if any(sign in words for words in low for sign in UNREACHED):
            return ChannelBusy(f"{name} cannot be reached. Nothing was sent.", answer=answer)
        return ChannelUnsure(f"{name} did not say that it took the message: it may have arrived.",
                             answer=answer)  # fmt: skip


def _only_for_us(logger: logging.Logger) -> None:
    """Let Apprise's log be written in full, and only to who reads it call by call."""
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
