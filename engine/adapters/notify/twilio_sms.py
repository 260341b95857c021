"""SMS through Twilio."""

import re
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from engine.adapters.notify import twilio_codes
from engine.adapters.notify.texts import fitted
from engine.adapters.notify.twilio_session import TwilioAccount, TwilioSession, opened
from engine.adapters.notify.wire import masked, quiet
from engine.errors import ChannelRefused
from engine.ports.notify import Message, Receipt

LONGEST = 1_600
"""Letters of a message, in UTF-16 units; Twilio refuses more (21617)."""
SKEW = timedelta(minutes=2)
"""By which this machine's clock may be ahead of Twilio's."""
QUEUED = timedelta(hours=10)
"""How long a message may wait at Twilio before it is sent: the list is in order of sending."""
PAGE = 50
LOST = ("failed", "undelivered", "canceled")
TRIAL = re.compile(r"^Sent from your Twilio trial account - ")


class TwilioSms:
    """One account that writes to one or more numbers, one request each.

    A message to several numbers that got through to some only is looked up, number by number, when
    it is tried again: none gets it twice. So is every message that is not known to be tried for
    the first time.
    """

    can_find = True

    def __init__(self, account: TwilioAccount, *, sender: str, to: Sequence[str]) -> None:
        quiet("twilio")
        self._account = account
        self._sender = sender
        self._to = tuple(to)

    def send(self, message: Message) -> Receipt:
        """See Notifier. A refused number keeps the others from nothing; it is told at the end."""
        taken: list[Any] = []
        refusals: list[ChannelRefused] = []
        with opened(self._account) as session:
            for number in self._to:
                sent = None if message.is_first else _sent(session, message, number, taken)
                try:
                    taken.append(sent or self._create(session, number, message))
                except ChannelRefused as refused:
                    if refused.field != "to":
                        raise
                    refusals.append(refused)
        if refusals:
            raise _together(refusals, taken)
        return _receipt(taken)

    def find(self, message: Message) -> Receipt | None:
        """See Notifier. It is there when each number has got it.

        Nothing of ours is in an SMS but its words: they, the number and the time tell it apart, and
        ``message.others`` rules out others of the same words. Raises ChannelRefused also when
        Twilio took it and could not deliver it.
        """
        found: list[Any] = []
        with opened(self._account) as session:
            for number in self._to:
                one = _sent(session, message, number, found)
                if one is None:
                    return None
                found.append(one)
        lost = [_lost(one) for one in found if one.status in LOST]
        if lost:
            raise _together(lost, [one for one in found if one.status not in LOST])
        return _receipt(found)

    def verify(self) -> str:
        """See Notifier."""
        with opened(self._account) as session:
            account = session.ask(session.client.api.accounts(self._account.sid).fetch)
            if account.status != "active":
                raise ChannelRefused(twilio_codes.ACCOUNT[20005], answer=str(account.status))
            self._check_sender(session)
            is_trial = account.type == "Trial"
            if is_trial:
                self._check_verified(session)
            balance = session.ask(session.client.balance.fetch)
        kind = "a trial account, which writes to verified numbers" if is_trial else "a full account"
        return (
            f"Twilio knows '{account.friendly_name}', {kind}, with"
            f" {balance.balance} {balance.currency}; {self._sender} can send."
        )

    # --- within

    def _create(self, session: TwilioSession, number: str, message: Message) -> Any:
        by = "messaging_service_sid" if self._sender.startswith("MG") else "from_"
        # Not encoded "smartly": what Twilio lists is what was sent, so that it can be found.
        return session.create(
            number, body=fitted(message.plain, LONGEST), smart_encoded=False, **{by: self._sender}
        )

    def _check_sender(self, session: TwilioSession) -> None:
        client = session.client
        if not self._sender.startswith("MG"):
            known = session.ask(
                client.incoming_phone_numbers.list, phone_number=self._sender, limit=1
            )
            if not known:
                raise ChannelRefused(
                    f"{self._sender} is not a number of this account: choose one under Phone"
                    f" Numbers {twilio_codes.CONSOLE}.", field="sender",
                )  # fmt: skip
            return
        try:
            session.ask(client.messaging.v1.services(self._sender).fetch)
        except ChannelRefused as refused:
            if "20404" not in refused.answer:
                raise
            raise ChannelRefused(
                twilio_codes.ACCOUNT[21705], answer=refused.answer, field="sender"
            ) from None

    def _check_verified(self, session: TwilioSession) -> None:
        for number in self._to:
            known = session.ask(
                session.client.outgoing_caller_ids.list, phone_number=number, limit=1
            )
            if not known:
                raise ChannelRefused(f"{number} {twilio_codes.NUMBER[21608]}", field="to")


def _sent(
    session: TwilioSession, message: Message, number: str, taken: Sequence[Any]
) -> Any | None:
    """The message to this number if Twilio has it; the oldest when there are several."""
    since, body = message.written_at - SKEW, fitted(message.plain, LONGEST)
    others = {one.sid for one in taken}
    for told in message.others:  # as `_receipt` tells those of several numbers
        others |= set(told.split(","))
    found = None
    listed = session.ask(session.client.messages.stream, to=number, page_size=PAGE)
    while (one := session.ask(next, listed, None)) is not None:
        if one.date_created is None or one.date_created < since - QUEUED:
            break
        is_ours = one.date_created >= since and one.sid not in others
        if is_ours and TRIAL.sub("", one.body or "").strip() == body:
            found = one
    return found


def _receipt(taken: Sequence[Any]) -> Receipt:
    """Of messages that Twilio took, one for each number."""
    states = ", ".join(f"{one.status} for {one.to} as {one.sid}" for one in taken)
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
