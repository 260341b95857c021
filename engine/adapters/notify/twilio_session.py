"""Requests to Twilio's REST API by its own SDK, and what each of its answers means."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from engine.adapters.notify import twilio_codes
from engine.adapters.notify.wire import TIMEOUT_S, again, failed_call, masked, pause_s
from engine.errors import ChannelBusy, ChannelError, ChannelRefused, ChannelUnsure

TWILIO_URL = "https://api.twilio.com"


@dataclass(frozen=True)
class TwilioAccount:
    """Which account, and where it is asked: at Twilio, at one of its regions
    (https://api.dublin.ie1.twilio.com), or at a stand-in. ``timeout_s`` is for connecting and for
    an answer."""

    sid: str
    token: str = field(repr=False)
    base_url: str = TWILIO_URL
    timeout_s: float = TIMEOUT_S


@contextmanager
def opened(account: TwilioAccount) -> Iterator["TwilioSession"]:
    """For one call of ours.

    With a connection of its own: one kept open that Twilio has closed meanwhile fails in a way
    that cannot be told from a message that was taken.
    """
    from twilio.http.http_client import TwilioHttpClient
    from twilio.rest import Client

    seen = _Seen()
    http = TwilioHttpClient(timeout=account.timeout_s, request_hooks={"response": [seen.see]})
    http.session.trust_env = False
    client = Client(account.sid, account.token, http_client=http)
    client.edge = client.region = None  # it would take them from the environment
    client.api.base_url = account.base_url
    client.messaging.base_url = account.base_url.replace("//api.", "//messaging.", 1)
    with http.session:
        yield TwilioSession(client, seen, account)


class TwilioSession:
    """The SDK's ``client``, whose errors are told as what they mean for a message."""

    def __init__(self, client: Any, seen: "_Seen", account: TwilioAccount) -> None:
        self.client = client
        self._seen = seen
        self._account = account

    def create(self, number: str, **fields: Any) -> Any:
        """Twilio's record of a message that it took. Raises ChannelRefused (of field ``to`` when
        it is for this number alone), ChannelBusy, ChannelUnsure."""
        self._seen.forget()
        try:
            return self.client.messages.create(to=number, **fields)
        except Exception as error:  # noqa: BLE001  # whatever it is, the request may be out
            raise self._meaning(error, number) from None

    def ask(self, call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """A call of the client's that changes nothing. Raises ChannelRefused, ChannelBusy."""
        self._seen.forget()
        try:
            return call(*args, **options)
        except Exception as error:  # noqa: BLE001  # the SDK's own, requests', the parser's
            meant = self._meaning(error, "")
            raise again("Twilio", meant) if isinstance(meant, ChannelUnsure) else meant from None

    def _meaning(self, error: Exception, number: str) -> ChannelError:
        status, code = self._seen.status, self._seen.code
        if status < 300:
            return failed_call("Twilio", error)
        words = masked(self._seen.said, (self._account.token,)).rstrip(".")
        answer = f"{status}, error {code}: {words}"
        if code in twilio_codes.PAUSES or status == 429:
            wait_s = self._seen.pause_s or twilio_codes.PAUSES.get(code, 0.0)
            return ChannelBusy("Twilio asks for a pause: too many messages.", answer=answer,
                               retry_after_s=wait_s)  # fmt: skip
        if status in (408, 503):
            return ChannelBusy("Twilio is out of order for the moment; nothing was sent.",
                               answer=answer, retry_after_s=self._seen.pause_s)  # fmt: skip
        if status >= 500:
            return ChannelUnsure("Twilio failed over the message; it may have taken it.",
                                 answer=answer)  # fmt: skip
        if code in twilio_codes.NUMBER and number:
            return ChannelRefused(f"{number} {twilio_codes.NUMBER[code]}", answer=answer,
                                  field="to")  # fmt: skip
        known = twilio_codes.ACCOUNT.get(20003 if status == 401 and not code else code)
        sentence = known or f"Twilio refuses the message: {words}. {twilio_codes.more(code)}"
        return ChannelRefused(sentence, answer=answer)


class _Seen:
    """Reads the answer to a request: the SDK's errors tell neither the pause that it asks for nor,
    of a list, anything."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Before the next request."""
        self.status, self.code, self.said, self.pause_s = 0, 0, "", 0.0

    def see(self, response: Any, *_args: Any, **_options: Any) -> None:
        """A hook of requests."""
        self.status = response.status_code
        self.pause_s = pause_s(response.headers.get("Retry-After", ""))
        if self.status < 400:
            return
        try:
            body = response.json()
            self.code, self.said = int(body["code"]), str(body["message"])
        except (ValueError, LookupError, TypeError):
            self.code, self.said = 0, str(response.reason)
