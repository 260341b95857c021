"""What the bridge to MetaTrader answers; see docs/metatrader.md."""

from collections.abc import Mapping
from typing import Literal

from engine.contracts.base import Contract
from engine.domain.money import UtcDatetime
from engine.domain.pushed import Price


class SignalKept(Contract):
    """``POST /api/signals``. ``bar``: new, same, changed or none. ``wants_bars``: so many bars,
    the last closed one included, are wanted with the next message."""

    status: Literal["ok"] = "ok"
    id: str
    is_copy: bool
    market: str
    bar: str
    wants_bars: int


class ExecutionKept(Contract):
    """``POST /api/trade-execution``."""

    status: Literal["ok"] = "ok"
    id: str
    is_copy: bool


class OfferedOrder(Contract):
    """An order to execute; numbers may come as texts."""

    id: str
    comment: str
    symbol: str
    side: str
    type: str
    lots: str
    price: str | None
    stop_price: str | None
    stop_loss: str
    take_profit: str
    position: int
    reduces: int
    valid_until: int


class OfferedOrders(Contract):
    """``GET /api/mt5/orders``."""

    orders: tuple[OfferedOrder, ...]


class AdvisorHealth(Contract):
    """One account's Expert Advisor. ``executes``: it has asked for orders lately, and may trade."""

    account: str
    server: str
    source: str
    seen_at: UtcDatetime
    age_s: float
    is_silent: bool
    executes: bool
    is_demo: bool | None


class BridgeHealth(Contract):
    """``GET /api/health``: ``status`` is ok, or silent when an Expert Advisor is."""

    status: Literal["ok", "silent"]
    time: UtcDatetime
    version: str
    advisors: tuple[AdvisorHealth, ...]


class SourceCount(Contract):
    """Signals of one sender. ``refused`` of the last day."""

    source: str
    sender: str
    kind: str
    last_hour: int
    last_day: int
    refused: int


class SymbolCount(Contract):
    """What was heard of a symbol, with its newest indicators."""

    account: str
    symbol: str
    timeframes: tuple[str, ...]
    received: int
    seen_at: UtcDatetime
    bid: Price
    ask: Price
    indicators: Mapping[str, float]


class OrderCount(Contract):
    """Orders for one account's advisor, by what became of them, in the last day."""

    account: str
    open: int
    filled: int
    cancelled: int
    expired: int
    rejected: int


class DecisionCount(Contract):
    """Questions to models, by what became of them."""

    state: str
    last_hour: int
    last_day: int


class BridgeStatistics(Contract):
    """``GET /api/statistics``."""

    time: UtcDatetime
    signals: tuple[SourceCount, ...]
    symbols: tuple[SymbolCount, ...]
    orders: tuple[OrderCount, ...]
    decisions: tuple[DecisionCount, ...]
