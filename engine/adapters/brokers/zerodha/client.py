"""Requests to Kite through its SDK: one at a time, paced, and every failure given its meaning."""

import logging
import time
from collections import deque
from collections.abc import Callable
from datetime import datetime
from threading import Lock, RLock
from typing import Any

import requests

from engine.adapters.brokers.zerodha import reading as read
from engine.adapters.brokers.zerodha.errors import LOG_IN, Complaint, Verdict, judge
from engine.errors import (
    AccessDenied,
    BrokerError,
    BrokerUnavailable,
    InsufficientFunds,
    NotFound,
    OrderRejected,
    OrderStateUnknown,
)
from engine.links.answered_time import AnsweredTime
from engine.links.http import BoundedAnswers, never_connected
from engine.links.pause import Pause
from engine.ports import Clock

NAME = "Zerodha"
TIMEOUT_S = 10.0
MOST_BYTES = 16 * 1024 * 1024  # a listing of an exchange is some 2 MB
PAUSE_S = 10.0  # when Kite asks for fewer requests without saying for how long
LONGEST_PAUSE_S = 3600.0
# Requests a second, as documented: of these, and of all others together.
PACES = {"quote": 1, "historical_data": 3, "place_order": 10}
OTHERS = 10
# What the SDK raises by itself on an answer that is not what Kite documents.
JUNK = (ArithmeticError, AttributeError, LookupError, NameError, TypeError, ValueError)


class KiteClient:
    """The SDK's client, kept to one address, without debug output, retries and redirects.

    Amounts are read from the text of the answer: the SDK's own parsing makes floats of them, and
    takes its time. While Kite asks for a pause nothing is sent. ``token`` is empty until somebody
    has logged in.
    """

    def __init__(
        self,
        key: str,
        token: str,
        address: str,
        clock: Clock,
        *,
        timeout_s: float = TIMEOUT_S,
        pause: Pause | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        import kiteconnect
        from kiteconnect.exceptions import KiteException

        for name in ("kiteconnect", "urllib3"):  # their debug lines hold the key and the token
            logging.getLogger(name).setLevel(logging.WARNING)
        self._errors = (KiteException, requests.RequestException, *JUNK)
        self._token = token
        self._clock = clock
        self._sleep = sleep
        self._pause = pause or Pause(clock.monotonic)
        self._lock = RLock()
        self._kite: Any = kiteconnect.KiteConnect(
            api_key=key, access_token=token or None, root=address, timeout=timeout_s
        )
        for reading in ("_format_historical", "_format_response", "_parse_instruments"):
            setattr(self._kite, reading, lambda data: data)  # answers are read from their text
        self._answers = BoundedAnswers(self._kite.reqsession, MOST_BYTES, 2 * timeout_s)
        self._pace_lock = Lock()
        self._newest_s: dict[str, deque[float]] = {}
        self._time = AnsweredTime(clock.now, clock.monotonic)

    # --- asking and sending ----------------------------------------------------------------------

    def ask(self, name: str, *words: Any, **parameters: Any) -> Any:
        """What Kite answers to a question, its numbers exact. Raises NotFound for an order that
        does not exist, AccessDenied, BrokerUnavailable for everything else."""
        self._keep_pace(name)
        with self._lock:
            return self._answer_to(name, words, parameters)

    def ask_table(self, name: str, *words: Any) -> str:
        """A table as text. Raises like ``ask``."""
        with self._lock:
            self._call(name, words, {})
            answer = self._answers.last
            return answer.text if answer is not None else ""

    def send(self, name: str, **parameters: Any) -> Any:
        """Send an order, once. Raises as ``Broker.submit`` does."""
        self._keep_pace(name)
        with self._lock:
            self._call(name, (), parameters, is_order=True)
            try:
                return self._data()
            except read.Unreadable as error:
                raise OrderStateUnknown(f"{NAME} answered with what cannot be read.") from error

    def log_in(self, request_token: str, secret: str) -> Any:
        """Exchange what a login gave for the day's session. Raises AccessDenied,
        BrokerUnavailable."""
        with self._lock:
            return self._answer_to(
                "generate_session", (request_token,), {"api_secret": secret}, needs_token=False
            )

    def login_url(self, address: str) -> str:
        """Where a person logs in for the key."""
        self._kite._default_login_uri = address
        return str(self._kite.login_url())

    def close(self) -> None:
        """End its connections."""
        self._kite.reqsession.close()

    # --- Kite's time ------------------------------------------------------------------------------

    def now(self) -> datetime:
        """Kite's time as far as it is known; a correction of ours does not move it."""
        return self._time.now()

    def clock_skew_s(self) -> float | None:
        """Our clock less Kite's, by the answers so far; None before the first."""
        if not self._time.is_told:
            return None
        return (self._clock.now() - self.now()).total_seconds()

    def _hear(self) -> None:
        if self._answers.last is not None:
            self._time.hear(self._answers.last.headers)

    # --- one request ------------------------------------------------------------------------------

    def _answer_to(
        self, name: str, words: tuple[Any, ...], parameters: dict[str, Any], **how: bool
    ) -> Any:
        self._call(name, words, parameters, **how)
        try:
            return self._data()
        except read.Unreadable as error:
            raise BrokerUnavailable(f"{NAME}: an answer cannot be read: {error}.") from error

    def _call(
        self, name: str, words: tuple[Any, ...], parameters: dict[str, Any], *,
        is_order: bool = False, needs_token: bool = True,
    ) -> None:  # fmt: skip
        if needs_token and not self._token:
            raise AccessDenied(f"{NAME}: nobody has logged in today: {LOG_IN}.")
        self._heed_pause()
        self._answers.last = None
        call: Callable[..., Any] = getattr(self._kite, name)
        try:
            call(*words, **parameters)
        except self._errors as error:
            self._hear()
            raise self._meaning(error, is_order=is_order) from error
        self._hear()

    def _data(self) -> Any:
        """What the last answer holds, numbers exact. Raises Unreadable."""
        answer = self._answers.last
        body = read.parsed(answer.text if answer is not None else "")
        if not isinstance(body, dict) or body.get("status") != "success" or "data" not in body:
            raise read.Unreadable("not an answer of Kite's")
        return body["data"]

    def _heed_pause(self) -> None:
        left = self._pause.left_s()
        if left > 0:
            raise BrokerUnavailable(
                f"{NAME}: Kite asks for no requests for another {left:.0f} s.", retry_after_s=left
            )

    def _keep_pace(self, name: str) -> None:
        """Wait until a request of its sort is within the documented number a second. Others need
        not wait for it: no lock is held meanwhile."""
        pace = PACES.get(name, OTHERS)
        sort = name if name in PACES else ""
        with self._pace_lock:
            now_s = self._clock.monotonic()
            newest = self._newest_s.setdefault(sort, deque(maxlen=pace))
            due_s = max(newest[0] + 1, now_s) if len(newest) == pace else now_s
            newest.append(due_s)
        if due_s > now_s:
            self._sleep(due_s - now_s)

    def _meaning(self, error: Exception, *, is_order: bool) -> BrokerError | NotFound:
        """What a failed request means to the desk. An order's answer counts only if it is listed
        in ``errors``; anything else leaves it unknown."""
        if never_connected(error):
            return BrokerUnavailable(f"{NAME}: no connection ({type(error).__name__}).")
        complaint = judge(self._answers.last)
        verdict = complaint.verdict
        if verdict is Verdict.PAUSE:
            return self._asks_for_pause(complaint)
        if verdict is Verdict.LOGGED_OUT:
            return AccessDenied(f"{NAME}: the day's login has ended or was revoked: {LOG_IN}.")
        if verdict is Verdict.DENIED:
            return AccessDenied(f"{NAME} does not allow this: {complaint.sentence}.")
        if not is_order:
            if verdict is Verdict.NO_SUCH_ORDER:
                return NotFound(f"{NAME}: {complaint.sentence}.")
            return BrokerUnavailable(f"{NAME} gave no answer of use: {_why(error, complaint)}.")
        if verdict in REFUSALS:
            return REFUSALS[verdict](f"{NAME}: {complaint.sentence}.")
        return OrderStateUnknown(f"{NAME} did not say: {_why(error, complaint)}.")

    def _asks_for_pause(self, complaint: Complaint) -> BrokerUnavailable:
        answer = self._answers.last
        told = answer.retry_after_s if answer is not None else None
        wait_s = min(PAUSE_S if told is None else told, LONGEST_PAUSE_S)
        self._pause.ask(wait_s)
        return BrokerUnavailable(
            f"{NAME}: no requests for {wait_s:.0f} s: {complaint.sentence}.", retry_after_s=wait_s
        )


class MarketClosed(BrokerUnavailable):
    """Refused for certain, and only for now."""


REFUSALS: dict[Verdict, type[BrokerError]] = {
    Verdict.REJECTED: OrderRejected,
    Verdict.NO_FUNDS: InsufficientFunds,
    Verdict.CLOSED: MarketClosed,
}


def _why(error: Exception, complaint: Complaint) -> str:
    """The error's kind, never its text: that may hold the whole answer."""
    return f"{type(error).__name__}, {complaint.sentence}"
