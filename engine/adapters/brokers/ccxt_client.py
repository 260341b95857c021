"""Requests to Binance through ccxt: one at a time, paced, and every failure given its meaning."""

import logging
import time
from collections.abc import Sequence
from threading import RLock
from typing import Any

from engine.adapters.brokers.binance_codes import Complaint, Verdict, judge
from engine.domain.api_usage import ApiUsage
from engine.domain.money import to_epoch_ms
from engine.errors import (
    AccessDenied,
    BrokerError,
    BrokerUnavailable,
    InsufficientFunds,
    NotFound,
    OrderRejected,
    OrderStateUnknown,
)
from engine.links.binance import SPOT_ONLY, Addresses, point
from engine.links.http import BoundedAnswers, no_connection
from engine.links.pause import Pause
from engine.ports import Clock

log = logging.getLogger("quarterdeck.binance")

RECV_WINDOW_MS = 10_000
MOST_BYTES = 8 * 1024 * 1024
PAUSE_S = 60.0  # when the venue asks for a pause without saying how long
LONGEST_PAUSE_S = 3 * 86_400.0  # the longest ban there is
# What ccxt raises by itself on an answer that is not what the exchange documents.
JUNK = (AttributeError, IndexError, KeyError, TypeError, ValueError)


class BinanceClient:
    """ccxt's synchronous client of Binance, kept to spot and to one address.

    ccxt never repeats a request, and neither does this: only questions are asked twice, when the
    first answer was that our clock is off. While the venue asks for a pause nothing is sent.
    """

    def __init__(
        self,
        key: str,
        secret: str,
        addresses: Addresses,
        clock: Clock,
        *,
        timeout_ms: int,
        is_paced: bool,
        pause: Pause,
    ) -> None:
        import ccxt

        for name in ("ccxt", "urllib3"):  # their debug lines hold the key and signed addresses
            logging.getLogger(name).setLevel(logging.WARNING)
        self._errors = (ccxt.BaseError, *JUNK)
        self.name = addresses.name
        self._clock = clock
        self._pause = pause
        self._lock = RLock()
        self._exchange: Any = ccxt.binance(
            {
                "apiKey": key,
                "secret": secret,
                "enableRateLimit": is_paced,
                "timeout": timeout_ms,
                "options": {**SPOT_ONLY, "recvWindow": RECV_WINDOW_MS, "maxRetriesOnFailure": 0},
            }
        )
        point(self._exchange, addresses)
        # ccxt paces requests by the wall clock: set back by an hour, it would sleep for an hour.
        self._exchange.milliseconds = lambda: int(time.monotonic() * 1000)
        self._exchange.nonce = self.timestamp
        self._answers = BoundedAnswers(self._exchange.session, MOST_BYTES, 2 * timeout_ms / 1000)
        self._lead_ms: int | None = None  # of the venue's clock over ours; None: not asked yet

    def ask(self, name: str, **parameters: Any) -> Any:
        """The answer to a question. Raises NotFound for an order that does not exist, AccessDenied,
        BrokerUnavailable for everything else."""
        with self._lock:
            try:
                return self._request(name, parameters)
            except ClockOff:
                return self._request(name, parameters)  # with the time set right

    def send(self, name: str, **parameters: Any) -> Any:
        """Send an order, once. Raises as ``Broker.submit`` does."""
        with self._lock:
            return self._request(name, parameters, is_order=True)

    def sync_clock(self) -> int:
        """Ask for the venue's time and go by it. Raises BrokerUnavailable."""
        with self._lock:
            before = to_epoch_ms(self._clock.now())
            told = self._request("public_get_time", {})
            server_ms = told.get("serverTime") if isinstance(told, dict) else None
            if not isinstance(server_ms, int):
                raise BrokerUnavailable(f"{self.name}: its time cannot be read.")
            # The answer was written between question and now: half of the way is the best guess.
            self._lead_ms = server_ms - (before + to_epoch_ms(self._clock.now())) // 2
            return self._lead_ms

    def usage(self) -> Sequence[ApiUsage]:
        """How much of its allowances is used, from the answers so far."""
        return self._answers.usage()

    def close(self) -> None:
        """Let go of the connections."""
        self._exchange.session.close()

    # --- one request ---------------------------------------------------------------------------

    def timestamp(self) -> int:
        """The venue's time, as far as it is known, for signing."""
        return to_epoch_ms(self._clock.now()) + (self._lead_ms or 0)

    def _request(self, name: str, parameters: dict[str, Any], *, is_order: bool = False) -> Any:
        self._heed_pause()
        if not name.startswith("public") and self._lead_ms is None:
            self.sync_clock()
        self._answers.last = None
        try:
            return getattr(self._exchange, name)(parameters)
        except self._errors as error:
            raise self._meaning(error, is_order=is_order) from error

    def _heed_pause(self) -> None:
        left = self._pause.left_s()
        if left > 0:
            raise BrokerUnavailable(
                f"{self.name}: it asks for no requests for another {left:.0f} s.",
                retry_after_s=left,
            )

    def _meaning(self, error: Exception, *, is_order: bool) -> BrokerError | NotFound:
        """What a failed request means to the desk. An order's answer counts only if it is listed
        in ``binance_codes``; anything else leaves it unknown."""
        unreached = no_connection(error)
        if unreached is not None:
            return BrokerUnavailable(f"{self.name}: no connection: {unreached}.")
        complaint = judge(self._answers.last)
        verdict = complaint.verdict
        if verdict is Verdict.PAUSE:
            return self._asks_for_pause(complaint)
        if verdict is Verdict.DENIED:
            return AccessDenied(f"{self.name} does not accept the key: {complaint.sentence}.")
        if verdict is Verdict.CLOCK:
            log.warning("the clock is off: %s", complaint.sentence)
            self._lead_ms = None
            return ClockOff(f"{self.name}: our clock was off; it is set right.")
        if not is_order:
            if verdict is Verdict.NO_SUCH_ORDER:
                return NotFound(f"{self.name}: {complaint.sentence}.")
            return BrokerUnavailable(
                f"{self.name} gave no answer of use: {_why(error, complaint)}."
            )
        refusals = {
            Verdict.REJECTED: OrderRejected,
            Verdict.RULES: RulesBroken,
            Verdict.NO_FUNDS: InsufficientFunds,
        }
        if verdict in refusals:
            return refusals[verdict](f"{self.name}: {complaint.sentence}")
        return OrderStateUnknown(f"{self.name} did not say: {_why(error, complaint)}.")

    def _asks_for_pause(self, complaint: Complaint) -> BrokerUnavailable:
        answer = self._answers.last
        told = answer.retry_after_s if answer is not None else None
        wait_s = min(PAUSE_S if told is None else told, LONGEST_PAUSE_S)
        self._pause.ask(wait_s)
        return BrokerUnavailable(
            f"{self.name}: no requests for {wait_s:.0f} s: {complaint.sentence}",
            retry_after_s=wait_s,
        )


class ClockOff(BrokerUnavailable):
    """Refused unread because of our time, which is asked for before the next request."""


class RulesBroken(OrderRejected):
    """Refused for certain by a filter of the symbol: its listing may be another one by now."""


def _why(error: Exception, complaint: Complaint) -> str:
    """The error's kind, never its text: that has the address with the signature in it."""
    return f"{type(error).__name__}, {complaint.sentence}"
