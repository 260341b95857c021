"""SMS through Twilio's REST API, by its own SDK."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from engine.adapters.notify import twilio_codes
from engine.adapters.notify.texts import fitted
from engine.adapters.notify.wire import (
    TIMEOUT_S,
    failed_call,
    failed_question,
    masked,
    pause_s,
    quiet,
)
from engine.errors import ChannelBusy, ChannelError, ChannelRefused, ChannelUnsure
from engine.ports.notify import Message, Receipt

TWILIO_URL = "https://api.twilio.com"
LONGEST = 1_600
"""Letters of a message, in UTF-16 units; Twilio refuses more (21617)."""
SKEW = timedelta(minutes=2)
"""By which this machine's clock may be ahead of Twilio's."""
QUEUED = timedelta(hours=10)
"""How long a message may wait at Twilio before it is sent: the list is in order of sending."""
PAGE = 50
LOST = ("failed", "undelivered", "canceled")
SAID_BY_SDK = re.compile(r"^Unable to \w+ (record|page): ")
TRIAL = re.compile(r"^Sent from your Twilio trial account - ")


class TwilioSms:
    """One account that writes to one or more numbers, one request each.

    ``base_url`` other than Twilio's own is a stand-in's; ``timeout_s`` is for connecting and for
    an answer. A message to several numbers that got through to some only is looked up, number by
    number, when it is tried again: none gets it twice.
    """

    can_find = True

    def __init__(
        self, *, account_sid: str, auth_token: str, sender: str, to: Sequence[str],
        base_url: str = TWILIO_URL, timeout_s: float = TIMEOUT_S,
    ) -> None:  # fmt: skip
        quiet("twilio")
        self._account_sid = account_sid
        self._token = auth_token
        self._sender = sender
        self._to = tuple(to)
        self._base_url = base_url
        self._timeout_s = timeout_s

    def send(self, message: Message) -> Receipt:
        """See Notifier. A refused number keeps the others from nothing; it is told at the end."""
        body = fitted(message.plain, LONGEST)
        taken: list[Any] = []
        refusals: list[ChannelRefused] = []
        with self._client() as (client, pause):
            for number in self._to:
                sent = None if message.is_first else self._sent(client, message, number, taken)
                try:
                    taken.append(sent or self._create(client, pause, number, body))
                except ChannelRefused as refused:
                    if refused.field != "to":
                        raise
                    refusals.append(refused)
        if refusals:
            raise _together(refusals, taken)
        return _receipt(taken)

    def find(self, message: Message) -> Receipt | None:
        """See Notifier. It is there when each number has got it: words, number and time tell it
        apart, and ``message.others`` rules out others of the same words."""
        found: list[Any] = []
        with self._client() as (client, _):
            for number in self._to:
                one = self._sent(client, message, number, found)
                if one is None:
                    return None
                found.append(one)
        lost = [_lost(one) for one in found if one.status in LOST]
        if lost:
            raise _together(lost, [one for one in found if one.status not in LOST])
        return _receipt(found)

    def verify(self) -> str:
        """See Notifier."""
        with self._client() as (client, pause):
            ask = self._asking(pause)
            account = ask(client.api.accounts(self._account_sid).fetch)
            if account.status != "active":
                raise ChannelRefused(twilio_codes.ACCOUNT[20005], answer=str(account.status))
            self._check_sender(client, ask)
            is_trial = account.type == "Trial"
            if is_trial:
                self._check_verified(client, ask)
            balance = ask(client.balance.fetch)
        kind = "a trial account, which writes to verified numbers" if is_trial else "a full account"
        return (
            f"Twilio knows '{account.friendly_name}', {kind}, with"
            f" {balance.balance} {balance.currency}; {self._sender} can send."
        )

    # --- within

    def _check_sender(self, client: Any, ask: Callable[..., Any]) -> None:
        if self._sender.startswith("MG"):
            try:
                ask(client.messaging.v1.services(self._sender).fetch)
            except ChannelRefused as refused:
                if "20404" in refused.answer:
                    raise ChannelRefused(
                        twilio_codes.ACCOUNT[21705], answer=refused.answer, field="sender"
                    ) from None
                raise
        elif not ask(client.incoming_phone_numbers.list, phone_number=self._sender, limit=1):
            raise ChannelRefused(
                f"{self._sender} is not a number of this account: choose one under Phone Numbers"
                f" {twilio_codes.CONSOLE}.",
                field="sender",
            )

    def _check_verified(self, client: Any, ask: Callable[..., Any]) -> None:
        for number in self._to:
            if not ask(client.outgoing_caller_ids.list, phone_number=number, limit=1):
                raise ChannelRefused(f"{number} {twilio_codes.NUMBER[21608]}", field="to")

    def _create(self, client: Any, pause: "_Pause", number: str, body: str) -> Any:
        by = "messaging_service_sid" if self._sender.startswith("MG") else "from_"
        try:
            # Not encoded "smartly": what Twilio lists is what was sent, so that it can be found.
            return client.messages.create(
                to=number, body=body, smart_encoded=False, **{by: self._sender}
            )
        except Exception as error:  # noqa: BLE001  # whatever it is, the request may be out
            raise self._meaning(error, pause.told_s, number) from None

    def _sent(self, client: Any, message: Message, number: str, taken: Sequence[Any]) -> Any | None:
        """The message to this number if Twilio has it; the oldest when there are several."""
        since = message.written_at - SKEW
        ours = {one.sid for one in taken} | message.others
        body = fitted(message.plain, LONGEST)
        found = None
        ask = self._asking(_Pause())
        listed = ask(client.messages.stream, to=number, page_size=PAGE)
        while (one := ask(next, listed, None)) is not None:
            if one.date_created is None or one.date_created < since - QUEUED:
                break
            is_ours = one.date_created >= since and one.sid not in ours
            if is_ours and TRIAL.sub("", one.body or "").strip() == body:
                found = one
        return found

    def _asking(self, pause: "_Pause") -> Callable[..., Any]:
        """Calls that change nothing: without an answer they can be made again."""

        def ask(call: Callable[..., Any], *args: Any, **options: Any) -> Any:
            try:
                return call(*args, **options)
            except Exception as error:  # noqa: BLE001  # the SDK's own, requests', the parser's
                meant = self._meaning(error, pause.told_s, "")
                if isinstance(meant, ChannelUnsure):
                    raise failed_question("Twilio", error) from None
                raise meant from None

        return ask

    def _meaning(self, error: Exception, told_s: float, number: str) -> ChannelError:
        from twilio.base.exceptions import TwilioRestException

        if not isinstance(error, TwilioRestException):
            return failed_call("Twilio", error)
        code = int(error.code) if str(error.code).isdigit() else 0
        words = masked(SAID_BY_SDK.sub("", error.msg), (self._token,)).rstrip(".")
        answer = f"{error.status}, error {code}: {words}"
        if code in twilio_codes.PAUSES or error.status == 429:
            wait_s = told_s or twilio_codes.PAUSES.get(code, 0.0)
            return ChannelBusy("Twilio asks for a pause: too many messages.", answer=answer,
                               retry_after_s=wait_s)  # fmt: skip
        if error.status in (408, 503):
            return ChannelBusy("Twilio is out of order for the moment; nothing was sent.",
                               answer=answer, retry_after_s=told_s)  # fmt: skip
        if error.status >= 500:
            return ChannelUnsure("Twilio failed over the message; it may have taken it.",
                                 answer=answer)  # fmt: skip
        if code in twilio_codes.NUMBER and number:
            return ChannelRefused(f"{number} {twilio_codes.NUMBER[code]}", answer=answer,
                                  field="to")  # fmt: skip
        known = twilio_codes.ACCOUNT.get(20003 if error.status == 401 and code == 401 else code)
        sentence = known or f"Twilio refuses the message: {words}. {twilio_codes.more(code)}"
        return ChannelRefused(sentence, answer=answer)

    @contextmanager
    def _client(self) -> Iterator[tuple[Any, "_Pause"]]:
        """The SDK's client for one call of ours.

        A connection of its own each: one kept open that Twilio has closed meanwhile fails in a way
        that cannot be told from a message that was taken.
        """
        from twilio.http.http_client import TwilioHttpClient
        from twilio.rest import Client

        pause = _Pause()
        http = TwilioHttpClient(timeout=self._timeout_s, request_hooks={"response": [pause.see]})
        http.session.trust_env = False
        client = Client(self._account_sid, self._token, http_client=http)
        client.api.base_url = self._base_url
        if self._base_url != TWILIO_URL:
            client.messaging.base_url = self._base_url
        with http.session:
            yield client, pause


class _Pause:
    """Reads Retry-After, which the SDK's exceptions do not have."""

    def __init__(self) -> None:
        self.told_s = 0.0

    def see(self, response: Any, *_args: Any, **_options: Any) -> None:
        """A hook of requests."""
        self.told_s = pause_s(response.headers.get("Retry-After", ""))


def _receipt(taken: Sequence[Any]) -> Receipt:
    """Of messages that Twilio took, one for each number."""
    states = ", ".join(f"{one.status} for {one.to}" for one in taken)
    costs = [_cost(one) for one in taken]
    return Receipt(
        provider_id=",".join(one.sid for one in taken),
        answer=masked(f"Twilio: {states}", ()),
        segments=sum(int(one.num_segments or 0) for one in taken),
        cost=None if None in costs else sum((one for one in costs if one), Decimal(0)),
    )


def _cost(one: Any) -> Decimal | None:
    """In US dollars, if Twilio tells it already; it writes what it takes below zero."""
    try:
        return abs(Decimal(one.price)) if one.price and one.price_unit == "USD" else None
    except InvalidOperation:
        return None


def _lost(one: Any) -> ChannelRefused:
    """What became of a message that Twilio took and could not deliver."""
    code = int(one.error_code or 0)
    words = twilio_codes.NUMBER.get(code, f"did not get it. {twilio_codes.more(code)}")
    return ChannelRefused(f"{one.to} {words}", answer=f"{one.status}, error {code}", field="to")


def _together(refusals: Sequence[ChannelRefused], taken: Sequence[Any]) -> ChannelRefused:
    """One error of several numbers, saying who has got the message nevertheless."""
    told = " ".join(one.message for one in refusals)
    if taken:
        told += f" Sent to {', '.join(one.to for one in taken)}."
    answer = "; ".join(one.answer for one in refusals)
    return ChannelRefused(told, answer=masked(answer, ()), field="to")
