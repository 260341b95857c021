"""Requests to Alpaca through alpaca-py: once each, in bounded time, failures given a meaning.

alpaca-py posts an order again by itself on 429 and 504, has no timeout, and reads amounts as
floats; all three are seen to here, from outside.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from email.utils import mktime_tz, parsedate_tz
from threading import RLock
from typing import Any

import requests

from engine.adapters.brokers.alpaca.codes import Complaint, Verdict, judge
from engine.domain.api_usage import ApiUsage
from engine.errors import (
    AccessDenied,
    BrokerError,
    BrokerUnavailable,
    InsufficientFunds,
    NotFound,
    OrderRejected,
    OrderStateUnknown,
)
from engine.links.alpaca import tame
from engine.links.answered_time import AnsweredTime
from engine.links.http import Answer, BoundedAnswers, no_connection
from engine.links.pause import Pause

NAME = "Alpaca"
TIMEOUT_S = 10.0
MOST_BYTES = 32 * 1024 * 1024  # the list of all assets is some 10 MB
PAUSE_S = 60.0  # limits are by the minute
LEAST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 3600.0
QUIET_LOGGERS = ("alpaca", "urllib3", "websockets")
"""Their debug lines hold the key, or addresses."""


class AlpacaClient:
    """One of the SDK's clients (of orders or of prices), one request at a time.

    ``pause`` is shared by all that speak to the same of Alpaca's hosts: each has a limit of its
    own, so that prices asked for too often do not keep an exit waiting. ``time`` is Alpaca's, by
    the answers of all its hosts.
    """

    def __init__(
        self, sdk: Any, pause: Pause, time: AnsweredTime, timeout_s: float = TIMEOUT_S
    ) -> None:
        from alpaca.common.exceptions import APIError

        for name in QUIET_LOGGERS:
            logging.getLogger(name).setLevel(logging.WARNING)
        # What the SDK raises, and what it raises by itself on an answer that is none.
        self._errors = (APIError, requests.RequestException, AttributeError, TypeError, ValueError)
        self._sdk = sdk
        tame(sdk, timeout_s)
        self._answers = BoundedAnswers(sdk._session, MOST_BYTES, 2 * timeout_s)
        self._pause = pause
        self._time = time
        self._lock = RLock()

    def ask(self, path: str, **parameters: Any) -> Any:
        """The answer to a question, its numbers exact. Raises NotFound, OrderRejected (the question
        is refused), AccessDenied, BrokerUnavailable for everything else."""
        return self._request("get", path, parameters, is_order=False)

    def send(self, path: str, body: Mapping[str, Any]) -> Any:
        """Post an order, once. Raises as ``Broker.submit`` does, and InvalidOrTaken."""
        return self._request("post", path, dict(body), is_order=True)

    def delete(self, path: str) -> None:
        """Take something back. Raises as ``ask``, and AlreadyDone."""
        self._request("delete", path, {}, is_order=False)

    def now(self) -> datetime:
        """Alpaca's time, as far as it is known."""
        return self._time.now()

    def usage(self) -> Sequence[ApiUsage]:
        """How much of its allowances is used, from the answers so far."""
        return self._answers.usage()

    def close(self) -> None:
        """Let go of the connections."""
        self._sdk._session.close()

    # --- one request ---------------------------------------------------------------------------

    def _request(self, verb: str, path: str, data: dict[str, Any], *, is_order: bool) -> Any:
        with self._lock:
            left = self._pause.left_s()
            if left > 0:
                raise BrokerUnavailable(
                    f"{NAME} asks for no requests for another {left:.0f} s.", retry_after_s=left
                )
            self._answers.last = None
            try:
                getattr(self._sdk, verb)(path, data)
                return _exact(self._answers.last)
            except self._errors as error:
                raise self._meaning(error, is_order=is_order) from error
            finally:
                if self._answers.last is not None:
                    self._time.hear(self._answers.last.headers)

    def _meaning(self, error: Exception, *, is_order: bool) -> BrokerError | NotFound:
        """What a failed request means to the desk. An order's answer counts only if it is listed
        in ``codes``; anything else leaves it unknown."""
        reason = no_connection(error)
        if reason is not None:
            return BrokerUnavailable(f"{NAME} cannot be reached: {reason}.")
        complaint = judge(self._answers.last)
        if complaint.verdict is Verdict.PAUSE:
            return self._asks_for_pause(complaint)
        if complaint.verdict is Verdict.DENIED:
            return AccessDenied(
                f"{NAME} does not accept the key or the account: {complaint.sentence}. Check the"
                " key, that it is of this mode (paper or live), and the account at alpaca.markets."
            )
        if complaint.verdict is Verdict.NO_SUCH_ORDER:
            if not is_order:
                return NotFound(f"{NAME}: {complaint.sentence}.")
            return OrderStateUnknown(f"{NAME} did not say: {complaint.sentence}.")
        refusal = REFUSALS.get(complaint.verdict)
        if refusal is not None:
            return refusal(f"{NAME}: {complaint.sentence}.")
        why = f"{type(error).__name__}, {complaint.sentence}"  # not its text, which has addresses
        if is_order:
            return OrderStateUnknown(f"{NAME} did not say what became of the order: {why}.")
        return BrokerUnavailable(f"{NAME} gave no answer of use: {why}.")

    def _asks_for_pause(self, complaint: Complaint) -> BrokerUnavailable:
        wait_s = _pause_s(self._answers.last)
        self._pause.ask(wait_s)
        return BrokerUnavailable(
            f"{NAME}: no requests for {wait_s:.0f} s: {complaint.sentence}.", retry_after_s=wait_s
        )


class InvalidOrTaken(OrderRejected):
    """Refused as bad input, which a client id that is in use is too: look before believing it."""


class AlreadyDone(OrderRejected):
    """An order that cannot be cancelled any more."""


REFUSALS: dict[Verdict, type[OrderRejected]] = {
    Verdict.REJECTED: OrderRejected,
    Verdict.INVALID: InvalidOrTaken,
    Verdict.NO_FUNDS: InsufficientFunds,
    Verdict.NOT_CANCELABLE: AlreadyDone,
}


def _pause_s(answer: Answer | None) -> float:
    """How long to be silent: what the answer says, or until the minute that it counts in is over,
    by Alpaca's own clock."""
    told = answer.retry_after_s if answer is not None else None
    if told is None and answer is not None:
        until = answer.headers.get("x-ratelimit-reset", "")
        date = parsedate_tz(answer.headers.get("date", ""))
        if until.isdigit() and date is not None:
            told = float(until) - mktime_tz(date)
    return min(max(PAUSE_S if told is None else told, LEAST_PAUSE_S), LONGEST_PAUSE_S)


def _exact(answer: Answer | None) -> Any:
    """JSON with numbers as Decimals; None for an empty answer, as of a cancellation. Raises
    ValueError for what is none, NaN and infinity included."""
    if answer is None or not answer.text:
        return None
    return json.loads(answer.text, parse_float=Decimal, parse_constant=_refuse)


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number")
