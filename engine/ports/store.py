"""The engine's durable state."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from engine.domain.accounts import AccountLine, AccountState, Finding
from engine.domain.advice import Advice
from engine.domain.alerts import Alert, Channel, Delivery, PriceAlert
from engine.domain.backtest_runs import BacktestRun
from engine.domain.bots import Bot
from engine.domain.decisions import Decision
from engine.domain.instruments import Instrument
from engine.domain.mailbox import BoxOrder
from engine.domain.news import NewsItem
from engine.domain.orders import Order
from engine.domain.positions import Fill, Position, PositionEntry, Trade
from engine.domain.pushed import PushedBar, PushedPrice, Terminal
from engine.domain.records import (
    AuditEntry,
    EquityPoint,
    Event,
    Lease,
    StrategyConfiguration,
)
from engine.domain.retunes import Retune
from engine.domain.signals import Listener, Signal
from engine.domain.studies import Study
from engine.domain.tokens import ApiToken
from engine.domain.venue_accounts import SealedSecret, VenueAccount

T = TypeVar("T")


class Prefix(str):
    """A value for ``select``'s equals that stands for all texts beginning with it."""


@dataclass(frozen=True)
class NotAfter:
    """A value for ``select``'s equals that stands for every time up to this one; never for None."""

    moment: datetime


@dataclass(frozen=True)
class StoreFacts:
    """What a database is: ``size`` in bytes, ``place`` without a password, ``revision`` of its
    tables, ``damage`` what a look at its pages has found ("" for nothing, or not looked)."""

    product: str
    place: str
    size: int
    revision: str
    damage: str = ""


class Repository(Protocol[T]):
    """The entities of one table."""

    def get(self, key: str) -> T:
        """Raises NotFound."""
        ...

    def find(self, key: str) -> T | None:
        """None when there is none."""
        ...

    def add(self, *items: T) -> None:
        """Insert. Raises Conflict when a unique key is taken."""
        ...

    def save(self, item: T) -> None:
        """Replace the row with the same key. Raises NotFound."""
        ...

    def delete(self, key: str) -> None:
        """Raises NotFound."""
        ...

    def select(
        self,
        *,
        order_by: str | None = None,
        is_descending: bool = False,
        limit: int | None = None,
        offset: int = 0,
        since: datetime | None = None,
        until: datetime | None = None,
        search: str = "",
        **equals: Any,
    ) -> Sequence[T]:
        """Rows whose columns equal ``equals`` (a list, tuple or set means one of; None means NULL;
        a ``Prefix`` means beginning with it, ``NotAfter`` a time up to it).

        ``since`` (inclusive) and ``until`` (exclusive) bound the table's time column, which is
        also the default order; ``search`` is a case-insensitive part of its text columns.
        """
        ...

    def values(
        self,
        *columns: str,
        since: datetime | None = None,
        until: datetime | None = None,
        search: str = "",
        **equals: Any,
    ) -> Sequence[tuple[Any, ...]]:
        """Only these columns of what ``select`` would give, in no order: for sums over many."""
        ...

    def count(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        search: str = "",
        **equals: Any,
    ) -> int:
        """How many rows ``select`` would give without a limit."""
        ...

    def written_after(self, number: int, limit: int) -> Sequence[tuple[int, T]]:
        """The first ``limit`` rows that were written after the row of that number, in order, each
        with its own number (from 1 up). Raises TypeError where rows are not numbered."""
        ...

    def prune(self, until: datetime, **equals: Any) -> int:
        """Delete rows older than ``until``; how many went."""
        ...


class Transaction(Protocol):
    """One unit of work: everything in it is committed together or not at all."""

    bots: Repository[Bot]
    configurations: Repository[StrategyConfiguration]
    orders: Repository[Order]
    fills: Repository[Fill]
    positions: Repository[Position]
    entries: Repository[PositionEntry]
    trades: Repository[Trade]
    decisions: Repository[Decision]
    equity: Repository[EquityPoint]
    accounts: Repository[AccountState]
    lines: Repository[AccountLine]
    findings: Repository[Finding]
    events: Repository[Event]
    audit: Repository[AuditEntry]
    backtests: Repository[BacktestRun]
    studies: Repository[Study]
    venue_accounts: Repository[VenueAccount]
    secrets: Repository[SealedSecret]
    retunes: Repository[Retune]
    signals: Repository[Signal]
    listeners: Repository[Listener]
    advice: Repository[Advice]
    news: Repository[NewsItem]
    tokens: Repository[ApiToken]
    alerts: Repository[Alert]
    channels: Repository[Channel]
    deliveries: Repository[Delivery]
    price_alerts: Repository[PriceAlert]
    pushed_bars: Repository[PushedBar]
    pushed_prices: Repository[PushedPrice]
    terminals: Repository[Terminal]
    box_orders: Repository[BoxOrder]

    def put_instrument(self, market_id: str, instrument: Instrument) -> None:
        """Keep an instrument's rules as they were when a bot was checked by them."""
        ...

    def find_instrument(self, market_id: str, symbol: str) -> Instrument | None:
        """The rules kept last, for a market that does not answer."""
        ...

    def find_setting(self, key: str) -> str | None:
        """A small value kept by name (the kill switch, edited settings)."""
        ...

    def put_setting(self, key: str, value: str) -> None:
        """Keep a small value."""
        ...


class Store(Protocol):
    """The engine's durable state."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Read and write. BEGIN IMMEDIATE; commits at the end of the block, rolls back when it
        raises. Raises StoreError when the database refuses, LeaseLost when fenced off."""
        ...

    def reading(self) -> AbstractContextManager[Transaction]:
        """Read one consistent snapshot; never blocks a writer."""
        ...

    def acquire_lease(self, owner: str, detail: str, ttl: timedelta) -> Lease:
        """Own the database: from now on this store's writes raise LeaseLost once another took over.

        An owner may take its own lease again; the term rises all the same, so that an engine of
        the same name which lives after all is fenced off. Raises Conflict, saying who holds it,
        when another owner's lease has not run out.
        """
        ...

    def renew_lease(self, lease: Lease, ttl: timedelta) -> Lease:
        """Raises LeaseLost when somebody else took it."""
        ...

    def release_lease(self, lease: Lease) -> None:
        """Give it up at a graceful stop."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...
