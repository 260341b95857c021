"""Requests through ccxt's unified interface: one at a time, and every failure given its meaning."""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Any, Protocol

from engine.adapters.brokers.ccxt_client import (
    JUNK,
    LONGEST_PAUSE_S,
    MOST_BYTES,
    PAUSE_S,
    ClockOff,
    RulesBroken,
)
from engine.adapters.brokers.ccxt_unified.habits import Habits
from engine.domain.api_usage import ApiUsage
from engine.domain.money import to_epoch_ms
from engine.errors import (
    AccessDenied,
    BrokerError,
    BrokerUnavailable,
    DataError,
    InsufficientFunds,
    NotFound,
    OrderRejected,
    OrderStateUnknown,
)
from engine.links.ccxt import refuse_text
from engine.links.http import Answer, BoundedAnswers, no_connection
from engine.links.pause import Pause
from engine.ports import Clock, MarketData

log = logging.getLogger("quarterdeck.ccxt")

LONGEST_SENTENCE = 200
SAYS = ("sMsg", "msg", "retMsg", "message", "error", "errors", "description", "label")
# Refused for certain where the exchange said so in an answer that is not an error of its own. Not
# here: ExchangeError, which is ccxt's for whatever it does not know; ExchangeNotAvailable, which
# it makes of HTTP 400, 403, 404 and 409; DuplicateOrderId, since the doubled order may be this one.
REFUSED = ("MarketClosed", "RestrictedLocation", "OrderImmediatelyFillable", "OrderNotFillable",
           "ContractUnavailable")  # fmt: skip
RULES = ("InvalidOrder", "BadRequest", "BadSymbol")
UNSENT = (*RULES, "ArgumentsRequired", "NotSupported")
DOUBLED = ("duplicat", "already exist", "repeated")


@dataclass(frozen=True)
class Keys:
    """What an exchange wants of whoever asks. Never print it."""

    key: str = field(repr=False)
    secret: str = field(repr=False)
    password: str = field(default="", repr=False)
    uid: str = field(default="", repr=False)


class ExchangeMarket(MarketData, Protocol):
    """The prices of the same exchange: where it is, and what it lists."""

    @property
    def exchange_id(self) -> str:
        """ccxt's id of it."""
        ...

    @staticmethod
    def options() -> dict[str, Any]:
        """ccxt's settings of it."""
        ...

    def point(self, exchange: Any) -> None:
        """Send a client of ccxt's to where the exchange is."""
        ...

    def listed(self) -> Any:
        """The symbols as ccxt lists them. Raises DataError."""
        ...

    def refresh(self) -> None:
        """Ask for the symbols anew when they are next needed."""
        ...


class UnifiedClient:
    """ccxt's synchronous client of an exchange, with amounts as exact texts.

    Nothing is ever repeated but a question that was refused because of our clock. Requests are
    dated by the exchange's time, as far as it is known, and nobody can set that back.
    """

    def __init__(
        self,
        market: ExchangeMarket,
        keys: Keys,
        clock: Clock,
        habits: Habits,
        *,
        timeout_ms: int,
        is_paced: bool,
        pause: Pause,
    ) -> None:
        import ccxt

        for name in ("ccxt", "urllib3"):  # their debug lines hold the key and signed addresses
            logging.getLogger(name).setLevel(logging.WARNING)
        self._ccxt = ccxt
        self._market = market
        self._clock = clock
        self._pause = pause
        self._lock = RLock()
        self.exchange: Any = getattr(ccxt, market.exchange_id)(
            {
                "apiKey": keys.key, "secret": keys.secret, "password": keys.password,
                "uid": keys.uid, "enableRateLimit": is_paced, "timeout": timeout_ms,
                "options": {**market.options(), **habits.options, "maxRetriesOnFailure": 0},
            }
        )  # fmt: skip
        self.exchange.number = str
        self.name: str = self.exchange.name or market.exchange_id
        market.point(self.exchange)
        self._answers = BoundedAnswers(self.exchange.session, MOST_BYTES, 2 * timeout_ms / 1000)
        refuse_text(self.exchange, ccxt.BadResponse)
        self._listed: Any = None
        self._is_dated = not self.has("fetchTime")
        # What the exchange's time is ahead of a clock that nobody can set.
        self._ahead_ms = to_epoch_ms(clock.now()) - self._monotonic_ms()
        self.exchange.milliseconds = self.now_ms

    def has(self, feature: str) -> bool:
        """Whether ccxt can do it there, in one request of its own."""
        return self.exchange.has.get(feature) is True

    def feature(self, method: str, name: str) -> Any:
        """What ccxt tells of a method for spot; None for what it does not tell."""
        spot = (self.exchange.features or {}).get("spot") or {}
        return (spot.get(method) or {}).get(name)

    def ask(self, method: str, *arguments: Any, **parameters: Any) -> Any:
        """The answer to a question. Raises NotFound for an order that does not exist, AccessDenied,
        BrokerUnavailable for everything else."""
        with self._lock:
            try:
                return self._request(method, arguments, parameters)
            except ClockOff:
                return self._request(method, arguments, parameters)  # with the time set right

    def send(self, *arguments: Any, **parameters: Any) -> Any:
        """Send an order, once. Raises as ``Broker.submit`` does."""
        with self._lock:
            return self._request("create_order", arguments, parameters, is_order=True)

    def sync_clock(self) -> int:
        """Ask for the exchange's time and go by it: how far, in ms, it is ahead of this machine's.
        Raises BrokerUnavailable."""
        with self._lock:
            before = self._monotonic_ms()
            told = self._call("fetch_time", (), {}, is_order=False)
            if not isinstance(told, int):
                raise BrokerUnavailable(f"{self.name}: its time cannot be read.")
            now = self._monotonic_ms()
            # The answer was written between question and now: half of the way is the best guess.
            self._ahead_ms = told - (before + now) // 2
            self._is_dated = True
            # ccxt's pace goes by the same clock: what was before counts no more.
            self.exchange.lastRestRequestTimestamp = 0
            return now + self._ahead_ms - to_epoch_ms(self._clock.now())

    def now_ms(self) -> int:
        """The exchange's time, as far as it is known."""
        return self._monotonic_ms() + self._ahead_ms

    def usage(self) -> Sequence[ApiUsage]:
        """How much of its allowances is used, from the answers so far."""
        return self._answers.usage()

    def close(self) -> None:
        """Let go of the connections."""
        self.exchange.session.close()

    # --- one request ---------------------------------------------------------------------------

    def _monotonic_ms(self) -> int:
        return int(self._clock.monotonic() * 1000)

    def _request(
        self, method: str, arguments: tuple[Any, ...], parameters: dict[str, Any],
        *, is_order: bool = False,
    ) -> Any:  # fmt: skip
        try:
            listed = self._market.listed()
        except DataError as error:
            raise BrokerUnavailable(f"{self.name}: nothing was sent: {error.message}") from error
        if listed is not self._listed:
            self.exchange.set_markets(listed)
            self._listed = listed
        if not self._is_dated:
            self.sync_clock()
        return self._call(method, arguments, parameters, is_order=is_order)

    def _call(
        self, method: str, arguments: tuple[Any, ...], parameters: dict[str, Any], *, is_order: bool
    ) -> Any:
        left = self._pause.left_s()
        if left > 0:
            raise BrokerUnavailable(
                f"{self.name}: it asks for no requests for another {left:.0f} s.",
                retry_after_s=left,
            )
        self._answers.last = None
        try:
            return getattr(self.exchange, method)(*arguments, params=parameters)
        except (self._ccxt.BaseError, *JUNK) as error:
            raise self._meaning(error, is_order=is_order) from error

    def _meaning(self, error: Exception, *, is_order: bool) -> BrokerError | NotFound:
        """What a failed request means to the desk. An order was refused only by an error that is
        listed above; anything else leaves it unknown."""
        unreached = no_connection(error)
        if unreached is not None:
            return BrokerUnavailable(f"{self.name}: no connection: {unreached}.")
        answer = self._answers.last
        sentence = said(answer)
        unread = self._unread(error, answer.status if answer is not None else 0)
        if unread is not None:
            return unread
        if not is_order:
            if isinstance(error, self._ccxt.OrderNotFound):
                return NotFound(f"{self.name}: {sentence}.")
            return BrokerUnavailable(
                f"{self.name} gave no answer of use: {type(error).__name__}, {sentence}."
            )
        refusal = self._refusal(error, answer)
        if refusal is not None:
            return refusal(f"{self.name}: {sentence if answer is not None else str(error)}")
        return OrderStateUnknown(f"{self.name} did not say: {type(error).__name__}, {sentence}.")

    def _unread(self, error: Exception, status: int) -> BrokerError | None:
        """The meaning of what is refused before anybody reads what was asked; 0: no answer."""
        kinds, sentence = self._ccxt, said(self._answers.last)
        if status == 0 or status >= 500:
            return None
        if type(error) is kinds.InvalidNonce:
            log.warning("%s: the clock is off: %s", self.name, sentence)
            self._is_dated = not self.has("fetchTime")
            return ClockOff(f"{self.name}: our clock was off; it is set right.")
        # Before ccxt's own view: of a key that worked once it says that the address is banned.
        if isinstance(error, kinds.AuthenticationError) or status == 401:
            return AccessDenied(f"{self.name} does not accept the key: {sentence}.")
        is_too_many = isinstance(error, kinds.RateLimitExceeded | kinds.DDoSProtection)
        if is_too_many or status in (418, 429):
            told = self._answers.last.retry_after_s if self._answers.last else None
            wait_s = min(PAUSE_S if told is None else told, LONGEST_PAUSE_S)
            self._pause.ask(wait_s)
            return BrokerUnavailable(
                f"{self.name}: no requests for {wait_s:.0f} s: {sentence}", retry_after_s=wait_s
            )
        return None

    def _refusal(self, error: Exception, answer: Answer | None) -> type[OrderRejected] | None:
        """The class of a refusal that is certain."""
        name = type(error).__name__
        if answer is None:  # ccxt itself would not send it
            return OrderRejected if name in UNSENT else None
        if answer.status >= 500 or any(word in answer.text.lower() for word in DOUBLED):
            return None
        if isinstance(error, self._ccxt.InsufficientFunds):
            return InsufficientFunds
        if name in RULES:
            return RulesBroken
        return OrderRejected if name in REFUSED else None


def said(answer: Answer | None) -> str:
    """What an answer says in words; never the address, which has the signature in it."""
    if answer is None:
        return "there was no answer"
    try:
        words = next(_sentences(json.loads(answer.text)), "")
    except ValueError:
        words = ""
    return words[:LONGEST_SENTENCE].rstrip(".") or f"HTTP {answer.status}"


def _sentences(told: Any) -> Iterator[str]:
    """The sentences in an answer, those furthest inside first: they are about one order."""
    inner = told.values() if isinstance(told, dict) else told if isinstance(told, list) else ()
    for value in inner:
        if isinstance(value, dict | list):
            yield from _sentences(value)
    if isinstance(told, list):
        yield from (each for each in told if isinstance(each, str) and each)
    elif isinstance(told, dict):
        found = (told.get(name) for name in SAYS)
        yield from (each for each in found if isinstance(each, str) and each)
