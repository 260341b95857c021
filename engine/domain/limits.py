"""Limits of the gateway: what no order may exceed, whoever wants it. Rules are rows."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.money import ONE, ZERO, plain
from engine.domain.orders import Order, OrderType, Side
from engine.domain.records import ScopeKind

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What an account's orders may do; None is no limit. Amounts are in the quote asset.

    ``price_band`` is a fraction of the last price. ``storm_factor`` times the orders a minute, or
    ``rejections_in_a_row`` of one bot, trip the breaker.
    """

    bot_orders_per_minute: int | None = None
    account_orders_per_minute: int | None = None
    order_notional: Decimal | None = None
    day_notional: Decimal | None = None
    price_band: Decimal | None = None
    bot_position: Decimal | None = None
    account_position: Decimal | None = None
    storm_factor: int = 3
    rejections_in_a_row: int | None = None

    def without_pace(self) -> "Limits":
        """The limits of a replay: its minutes and days are not those of the clock."""
        return replace(
            self, bot_orders_per_minute=None, account_orders_per_minute=None, day_notional=None
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """An order about to be sent, and what the rules need to know about it.

    ``bot_sent`` and ``account_sent`` are the orders of the last minute, of an order that reduces
    only those that reduced: entries use up no exit's turn. ``day_notional`` is what the account
    has traded today or has at work, the positions are what would be held of the symbol.
    """

    limits: Limits
    order: Order
    notional: Decimal
    quote: str
    last: Decimal | None
    bot_sent: int = 0
    account_sent: int = 0
    day_notional: Decimal = ZERO
    bot_position: Decimal = ZERO
    account_position: Decimal = ZERO


class OnExit(StrEnum):
    """What a limit means for an order that only makes a position smaller."""

    ALLOW = "allow"
    DELAY = "delay"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class LimitRule:
    """A name, what it means for exits, and a function that says what is exceeded, or None."""

    name: str
    on_exit: OnExit
    excess: Callable[[Attempt], str | None]
    remedy: str


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that an order would break."""

    rule: LimitRule
    excess: str

    @property
    def message(self) -> str:
        """One sentence: the limit, its value, what to do."""
        return f"The limit on {self.rule.name} forbids it: {self.excess}; {self.rule.remedy}."


def notional_of(
    order: Order, quantity: Decimal | None, price: Decimal | None, last: Decimal | None
) -> Decimal | None:
    """What an order is worth in quote: at its limit, else its trigger, else the last price; None
    when there is neither a price nor an amount."""
    at = price or order.price or order.stop_price or last
    if quantity is None or at is None:
        return order.quote_amount
    return quantity * at


def _pace(sent: int, most: int | None) -> str | None:
    if most is None or sent < most:
        return None
    return f"{sent} were sent within a minute and {most} are allowed"


def _amount(value: Decimal, most: Decimal | None, attempt: Attempt) -> str | None:
    if most is None or value <= most:
        return None
    return f"{rounded(value)} {attempt.quote} would be more than {rounded(most)}"


def _order_notional(attempt: Attempt) -> str | None:
    return _amount(attempt.notional, attempt.limits.order_notional, attempt)


def _day_notional(attempt: Attempt) -> str | None:
    total = attempt.day_notional + attempt.notional
    return _amount(total, attempt.limits.day_notional, attempt)


def _bot_position(attempt: Attempt) -> str | None:
    total = attempt.bot_position + attempt.notional
    return _amount(total, attempt.limits.bot_position, attempt)


def _account_position(attempt: Attempt) -> str | None:
    total = attempt.account_position + attempt.notional
    return _amount(total, attempt.limits.account_position, attempt)


def _price_band(attempt: Attempt) -> str | None:
    """A limit price that is worse than the market by more than the band: a slip of a finger."""
    order, band = attempt.order, attempt.limits.price_band
    # A stop-limit is priced for the moment at which the market has come to its trigger.
    base = order.stop_price if order.type is OrderType.STOP_LIMIT else attempt.last
    if band is None or order.price is None or base is None:
        return None
    worst = base * (ONE + band if order.side is Side.BUY else ONE - band)
    if order.price <= worst if order.side is Side.BUY else order.price >= worst:
        return None
    word = "buys above" if order.side is Side.BUY else "sells below"
    return (
        f"the price {rounded(order.price)} {word} {rounded(worst)}, "
        f"{rounded(band * 100)} % off {rounded(base)}"
    )


_WAIT = "wait a minute, or raise the limit in the settings"
_LESS = "make it smaller, or raise the limit in the settings"

LIMIT_RULES: tuple[LimitRule, ...] = (
    LimitRule("the price of an order", OnExit.REFUSE, _price_band,
              "set a price nearer to the market, or widen the band in the settings"),
    LimitRule("orders a minute of a bot", OnExit.DELAY,
              lambda one: _pace(one.bot_sent, one.limits.bot_orders_per_minute), _WAIT),
    LimitRule("orders a minute of an account", OnExit.DELAY,
              lambda one: _pace(one.account_sent, one.limits.account_orders_per_minute), _WAIT),
    LimitRule("the value of an order", OnExit.ALLOW, _order_notional, _LESS),
    LimitRule("the value traded in a day", OnExit.ALLOW, _day_notional,
              "wait for midnight UTC, or raise the limit in the settings"),
    LimitRule("the position of a bot", OnExit.ALLOW, _bot_position, _LESS),
    LimitRule("the position of an account in a symbol", OnExit.ALLOW, _account_position, _LESS),
)  # fmt: skip


def find_breach(attempt: Attempt, rules: Sequence[LimitRule] = LIMIT_RULES) -> Breach | None:
    """The first limit that the order would break."""
    for rule in rules:
        if attempt.order.is_reducing and rule.on_exit is OnExit.ALLOW:
            continue
        excess = rule.excess(attempt)
        if excess is not None:
            return Breach(rule, excess)
    return None


class Pace:
    """What happened within the last minute, each thing once. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._moments: OrderedDict[Hashable, float] = OrderedDict()

    def add(self, thing: Hashable, now_s: float) -> None:
        """Count a thing, unless it is counted already."""
        self._moments.setdefault(thing, now_s)

    def count(self, now_s: float) -> int:
        """How many are not older than a minute."""
        while self._moments and now_s - next(iter(self._moments.values())) >= MINUTE_S:
            self._moments.popitem(last=False)
        return len(self._moments)

    def free_in_s(self, now_s: float, most: int) -> float:
        """Seconds until fewer than ``most`` are counted."""
        excess = self.count(now_s) - most
        if excess < 0:
            return 0.0
        return list(self._moments.values())[excess] + MINUTE_S - now_s

    def clear(self) -> None:
        """Forget all of it."""
        self._moments.clear()


class LimitUsage(BaseModel):
    """How much of a limit is used. ``scope`` and ``key`` say whose it is; ``unit`` is a quote
    asset, or empty for a number of orders."""

    model_config = ConfigDict(frozen=True)

    name: str
    scope: ScopeKind
    key: str
    unit: str = ""
    limit: Decimal
    used: Decimal
    fraction: Decimal = Field(description="used / limit; 1 is all of it")


def usage_of(
    name: str, scope: ScopeKind, key: str, limit: Decimal | int, used: Decimal | int, unit: str = ""
) -> LimitUsage:
    """One row of what is used."""
    most, now = Decimal(limit), Decimal(used)
    fraction = now / most if most else ONE
    return LimitUsage(name=name, scope=scope, key=key, unit=unit, limit=most, used=now,
                      fraction=fraction.quantize(Decimal("0.0001")))  # fmt: skip


def rounded(value: Decimal) -> str:
    """Eight digits at the most, for a sentence."""
    return format(plain(Decimal(f"{value:.8g}")), "f")
