"""What is told to a time-series database: one table of measurements, and points that fit it.

docs/monitoring.md shows the table, the dashboards ask for nothing else (a test compares), and
``point_of`` makes no other points. Tags are few and bounded in number: names, never ids.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from hashlib import sha256

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SPREAD_NS = 1_000_000
"""A record's id moves its time by less than a millisecond: two at the same time stay two."""

LONGEST_TEXT = 200
NOBODY = "(nobody)"
"""A tag without a value would be left out of the line, and the series be another one."""

Value = float | int | bool | str


class Kind(Enum):
    """What a field holds; a database keeps it in one type for ever."""

    NUMBER = float
    COUNT = int
    FLAG = bool
    TEXT = str


@dataclass(frozen=True)
class Field:
    """One value of a point. ``words`` say what it is, with its unit."""

    name: str
    kind: Kind
    words: str


@dataclass(frozen=True)
class Measurement:
    """One kind of point. ``time`` says what its time is; ``tags`` are there in every point."""

    name: str
    words: str
    time: str
    tags: Mapping[str, str]
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field:
        """Raises ValueError for one that the table does not have."""
        for one in self.fields:
            if one.name == name:
                return one
        raise ValueError(f"{self.name} has no field '{name}'")


@dataclass(frozen=True)
class SeriesPoint:
    """One point. The same record always gives the same measurement, tags and time, so that one
    which is sent again takes the place of itself."""

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, Value]
    time_ns: int


BOT, SYMBOL = "the bot's name", "as the bot's market calls it"
SIDE = "buy or sell"

MARKET_SIGNALS = Measurement(
    "market_signals",
    "signals that came in: TradingView, webhooks, MetaTrader",
    "when it was received",
    {
        "source": "webhook, metatrader ...",
        "kind": "order, prices, execution ...",
        "bot": BOT,
        "symbol": "of its bot, or what MetaTrader pushes",
    },
    (
        Field("state", Kind.TEXT, "received, acted, held, refused or expired"),
        Field("outcome", Kind.TEXT, "what became of it, in words"),
        Field("action", Kind.TEXT, "open, close, flat ..."),
        Field("lag_s", Kind.NUMBER, "seconds from the sender's time to its receipt"),
        Field("acted_s", Kind.NUMBER, "seconds from its receipt until it was acted on"),
        Field("copies", Kind.COUNT, "further deliveries of the same"),
        Field("orders", Kind.COUNT, "orders that followed"),
        Field("id", Kind.TEXT, "of the signal in the inbox"),
    ),
)
AI_DECISIONS = Measurement(
    "ai_decisions",
    "questions to a model with what it answered",
    "when it was asked",
    {
        "bot": BOT,
        "symbol": SYMBOL,
        "provider": "gemini or openai",
        "model": "the model's name",
        "purpose": "decide, review, dry_run or replay",
    },
    (
        Field("state", Kind.TEXT, "answered, invalid, late, over_budget ..."),
        Field("action", Kind.TEXT, "buy, sell, close or hold"),
        Field("verdict", Kind.TEXT, "pass, reduce or veto of an entry"),
        Field("risk_level", Kind.TEXT, "low, medium or high"),
        Field("confidence", Kind.NUMBER, "0 to 1"),
        Field("latency_s", Kind.NUMBER, "seconds until the answer"),
        Field("tokens_in", Kind.COUNT, "tokens asked"),
        Field("tokens_out", Kind.COUNT, "tokens answered"),
        Field("cost_usd", Kind.NUMBER, "US dollars, by the prices of the settings"),
        Field("is_right", Kind.FLAG, "once its horizon is over: whether the price went its way"),
        Field(
            "move", Kind.NUMBER, "once its horizon is over: the price's fraction in its direction"
        ),
        Field("id", Kind.TEXT, "of the advice"),
    ),
)
TRADE_EXECUTIONS = Measurement(
    "trade_executions",
    "fills of all accounts",
    "when the venue executed it",
    {
        "bot": BOT,
        "symbol": SYMBOL,
        "side": SIDE,
        "purpose": "entry, exit or protection",
        "mode": "paper, test or live",
        "quote": "the asset of price, value and pnl",
    },
    (
        Field("price", Kind.NUMBER, "in quote"),
        Field("quantity", Kind.NUMBER, "in base"),
        Field("value", Kind.NUMBER, "price x quantity, in quote"),
        Field("fee", Kind.NUMBER, "in the fee's asset"),
        Field("fee_asset", Kind.TEXT, "in which the fee was taken"),
        Field("pnl", Kind.NUMBER, "of the trade that this fill has closed, after fees, in quote"),
        Field("return_fraction", Kind.NUMBER, "of the trade that this fill has closed"),
        Field("exit_reason", Kind.TEXT, "of the trade that this fill has closed"),
        Field("order_id", Kind.TEXT, "the client order id"),
        Field("trade_id", Kind.TEXT, "as the venue calls the fill"),
    ),
)
MT5_EXECUTIONS = Measurement(
    "mt5_executions",
    "executions on MetaTrader accounts, and orders that ended there without one",
    "of a deal: when it was made; of an order without one: when it was given",
    {
        "account": "the account's name",
        "bot": BOT,
        "symbol": SYMBOL,
        "side": SIDE,
        "status": "filled, rejected, expired or cancelled",
    },
    (
        Field("ticket", Kind.TEXT, "of the deal, or of the order"),
        Field("order_id", Kind.TEXT, "the client order id"),
        Field("price", Kind.NUMBER, "of the deal, in quote"),
        Field("quantity", Kind.NUMBER, "in base"),
        Field("retcode", Kind.COUNT, "the terminal's answer, where an Expert Advisor told it"),
        Field("reason", Kind.TEXT, "in the terminal's words"),
        Field("lag_s", Kind.NUMBER, "seconds from giving the order to its execution"),
        Field("slippage_bps", Kind.NUMBER,
              "basis points that the deal was worse than the order's price, where it had one"),
    ),
)  # fmt: skip
EQUITY = Measurement(
    "equity",
    "what each bot, and all of them together, were worth; replays are left out",
    "when it was sampled",
    {"scope": "bot, or total for all bots", "bot": "the bot's name, or all", "quote": "its asset"},
    (
        Field("equity", Kind.NUMBER, "in quote"),
        Field("realised", Kind.NUMBER, "profit of closed trades, in quote"),
        Field("unrealised", Kind.NUMBER, "profit of what is open, in quote"),
        Field("drawdown", Kind.NUMBER, "fraction below the highest point so far, 0 to 1"),
    ),
)
BOT_CYCLES = Measurement(
    "bot_cycles",
    "candles that were decided",
    "when it was decided",
    {"bot": BOT, "symbol": SYMBOL, "action": "hold, enter_long, enter_short, exit or reverse"},
    (
        Field("lateness_s", Kind.NUMBER, "seconds from the candle's close to the decision"),
        Field("duration_s", Kind.NUMBER, "seconds the cycle took; not known after a restart"),
        Field("confidence", Kind.NUMBER, "the strategy's, 0 to 1"),
        Field("price", Kind.NUMBER, "the candle's close, in quote"),
    ),
)
MEASUREMENTS: Mapping[str, Measurement] = {
    one.name: one
    for one in (
        MARKET_SIGNALS, AI_DECISIONS, TRADE_EXECUTIONS, MT5_EXECUTIONS, EQUITY, BOT_CYCLES
    )
}  # fmt: skip
"""By name."""


def point_of(
    measurement: Measurement,
    moment: datetime,
    key: str,
    tags: Mapping[str, str],
    fields: Mapping[str, Decimal | Value | None],
) -> SeriesPoint:
    """A point that fits the table; fields of None are left out. ``key`` is the id of a record
    that may share its time with others, '' where none does.

    Amounts become floats here and nowhere before: line protocol knows no other numbers. Raises
    ValueError for a tag or a field that is not the table's.
    """
    if tags.keys() != measurement.tags.keys():
        raise ValueError(f"{measurement.name} has the tags {sorted(measurement.tags)}")
    known = {name: value for name, value in fields.items() if value is not None}
    return SeriesPoint(
        measurement.name,
        {name: value[:LONGEST_TEXT] or NOBODY for name, value in tags.items()},
        {name: _fitted(measurement.field(name), value) for name, value in known.items()},
        time_ns(moment, key),
    )


def time_ns(moment: datetime, key: str = "") -> int:
    """Nanoseconds since 1970, exactly; with a ``key`` moved by what is its own."""
    spread = int.from_bytes(sha256(key.encode()).digest()[:8]) % SPREAD_NS if key else 0
    return (moment - EPOCH) // MICROSECOND * 1_000 + spread


def _fitted(field: Field, value: Decimal | Value) -> Value:
    """Raises ValueError for what the field cannot hold."""
    kind = field.kind
    if kind is Kind.TEXT:
        return str(value)[:LONGEST_TEXT]
    if kind is Kind.NUMBER and isinstance(value, Decimal | float | int):
        return float(value)
    if kind is Kind.FLAG and isinstance(value, bool):
        return value
    if kind is Kind.COUNT and isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"the field '{field.name}' cannot hold {value!r}")
