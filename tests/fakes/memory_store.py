"""``ports.Store`` in memory, for tests that make hundreds of thousands of transactions.

A transaction works on a copy of the tables it changes and puts it in the place of the old one when
it commits: what raises changes nothing, and a reader keeps the snapshot it began with.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

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
from engine.domain.records import AuditEntry, EquityPoint, Event, Lease, StrategyConfiguration
from engine.domain.retunes import Retune
from engine.domain.signals import Listener, Signal
from engine.domain.studies import Study
from engine.domain.tokens import ApiToken
from engine.domain.venue_accounts import SealedSecret, VenueAccount
from engine.errors import Conflict, LeaseLost, StoreError
from engine.ports import Transaction
from tests.fakes.clock import FakeClock
from tests.fakes.memory_tables import Contents, MemoryRepository, Shape

BUSY_TIMEOUT_S = 5.0

BOT_COLUMNS: dict[str, Callable[[Any], Any]] = {
    "name": lambda bot: bot.config.name,
    "name_key": lambda bot: bot.config.name.casefold(),
    "market": lambda bot: bot.config.market,
    "symbol": lambda bot: bot.config.symbol,
    "strategy": lambda bot: bot.config.strategy,
    "timeframe": lambda bot: bot.config.timeframe,
}
BOTS = Shape(Bot, "bots", noun="bot", time="created_at", is_counted=False, more=BOT_COLUMNS,
             search=("name", "symbol", "strategy"),
             unique={("name_key",): "There is already a bot of this name."})  # fmt: skip
CONFIGURATIONS = Shape(
    StrategyConfiguration, "strategy_configurations", noun="configuration", time="created_at",
    is_counted=False, is_owned=True,
    unique={("bot_id", "version"): "This version of the settings exists already."},
)  # fmt: skip
ORDERS = Shape(Order, "orders", noun="order", time="created_at", key="client_id",
               search=("client_id", "symbol", "reason", "error"), is_counted=False,
               taken="An order of this client id is in the books already.")  # fmt: skip
FILLS = Shape(Fill, "fills", noun="fill", time="time", search=("symbol",),
              unique={("account_id", "trade_id"): "This fill is in the books already."},
              taken="This fill is in the books already.")  # fmt: skip
POSITIONS = Shape(Position, "positions", noun="position", time="opened_at", search=("symbol",),
                  is_counted=False)  # fmt: skip
ENTRIES = Shape(PositionEntry, "position_entries", noun="position entry", time="time",
                is_counted=False)  # fmt: skip
TRADES = Shape(Trade, "trades", noun="trade", time="exit_time", is_counted=False,
               search=("bot_name", "symbol", "strategy", "exit_reason"))  # fmt: skip
DECISIONS = Shape(Decision, "decisions", noun="decision", time="candle_time", search=("reason",),
                  is_owned=True,
                  unique={("bot_id", "candle_time"): "This candle was decided before."}
                  )  # fmt: skip
EQUITY = Shape(EquityPoint, "equity_points", noun="equity point", time="time", is_owned=True)
ACCOUNTS = Shape(AccountState, "accounts", noun="account", time="checked_at", key="account_id",
                 is_counted=False)  # fmt: skip
LINES = Shape(AccountLine, "account_lines", noun="account line", time="time")
FINDINGS = Shape(Finding, "findings", noun="finding", time="last_seen", is_counted=False)
EVENTS = Shape(Event, "events", noun="event", time="time", search=("message",))
AUDIT = Shape(AuditEntry, "audit_entries", noun="audit entry", time="time", order="seq",
              search=("actor", "action", "subject"))  # fmt: skip
BACKTESTS = Shape(BacktestRun, "backtest_runs", noun="backtest", time="created_at",
                  search=("name",), is_counted=False,
                  more={"strategy": lambda run: run.request.strategy,
                        "timeframe": lambda run: run.request.timeframe})  # fmt: skip
STUDIES = Shape(Study, "studies", noun="study", time="created_at", search=("name", "symbol"),
                is_counted=False,
                more={"strategy": lambda study: study.request.backtest.strategy})  # fmt: skip
RETUNES = Shape(Retune, "retunes", noun="re-tuning", time="updated_at", key="bot_id",
                is_counted=False, is_owned=True)  # fmt: skip
VENUE_ACCOUNTS = Shape(
    VenueAccount, "venue_accounts", noun="account", time="created_at", search=("name", "venue"),
    is_counted=False, more={"name_key": lambda account: account.name.casefold()},
    unique={("name_key",): "There is already an account of this name."},
)  # fmt: skip
SECRETS = Shape(SealedSecret, "account_secrets", noun="secret", time="updated_at",
                is_counted=False)  # fmt: skip
SIGNALS = Shape(Signal, "signals", noun="signal", time="received_at",
                search=("body", "outcome", "sender"))  # fmt: skip
LISTENERS = Shape(Listener, "listeners", noun="listener", time="created_at", key="bot_id",
                  is_counted=False, is_owned=True,
                  unique={("key_digest",): "There is already such a key."})  # fmt: skip
ADVICE = Shape(
    Advice, "advice", noun="advice", time="asked_at", is_counted=False,
    search=("bot_name", "symbol", "answer", "error"),
    more={"action": lambda advice: advice.action, "verdict": lambda advice: advice.verdict},
)  # fmt: skip
NEWS = Shape(NewsItem, "news", noun="news item", time="published_at", is_counted=False,
             search=("title", "summary"))  # fmt: skip
TOKENS = Shape(
    ApiToken, "api_tokens", noun="token", time="created_at", search=("name",), is_counted=False,
    more={"name_key": lambda token: token.name.casefold()},
    unique={("name_key",): "There is already a token of this name.",
            ("digest",): "There is already such a token."},
)  # fmt: skip
ALERTS = Shape(Alert, "alerts", noun="alert", time="time", search=("title", "text"))
CHANNELS = Shape(
    Channel, "channels", noun="channel", time="created_at", search=("name",), is_counted=False,
    more={"name_key": lambda channel: channel.name.casefold()},
    unique={("name_key",): "There is already a channel of this name."},
)  # fmt: skip
DELIVERIES = Shape(Delivery, "deliveries", noun="delivery", time="created_at",
                   search=("title", "text", "answer", "error"))  # fmt: skip
PRICE_ALERTS = Shape(PriceAlert, "price_alerts", noun="price alert", time="created_at",
                     search=("symbol", "note"), is_counted=False)  # fmt: skip
PUSHED_BARS = Shape(PushedBar, "pushed_bars", noun="bar", time="time", is_counted=False)
PUSHED_PRICES = Shape(PushedPrice, "pushed_prices", noun="price", time="received_at",
                      order="symbol", search=("symbol",), is_counted=False)  # fmt: skip
TERMINALS = Shape(Terminal, "terminals", noun="terminal", time="seen_at", key="account",
                  is_counted=False)  # fmt: skip
BOX_ORDERS = Shape(BoxOrder, "box_orders", noun="order", time="touched_at", order="created_at",
                   is_counted=False)  # fmt: skip
REPOSITORIES: dict[str, Shape[Any]] = {
    "bots": BOTS, "configurations": CONFIGURATIONS, "orders": ORDERS, "fills": FILLS,
    "positions": POSITIONS, "entries": ENTRIES, "trades": TRADES, "decisions": DECISIONS,
    "equity": EQUITY, "accounts": ACCOUNTS, "lines": LINES, "findings": FINDINGS,
    "events": EVENTS, "audit": AUDIT, "backtests": BACKTESTS, "studies": STUDIES,
    "retunes": RETUNES, "venue_accounts": VENUE_ACCOUNTS, "secrets": SECRETS, "signals": SIGNALS,
    "listeners": LISTENERS, "advice": ADVICE, "news": NEWS, "tokens": TOKENS, "alerts": ALERTS,
    "channels": CHANNELS, "deliveries": DELIVERIES, "price_alerts": PRICE_ALERTS,
    "pushed_bars": PUSHED_BARS, "pushed_prices": PUSHED_PRICES, "terminals": TERMINALS,
    "box_orders": BOX_ORDERS,
}  # fmt: skip
OWNED = (CONFIGURATIONS, DECISIONS, EQUITY, RETUNES, LISTENERS)


class BotRepository(MemoryRepository[Bot]):
    """Bots, which take along what they own."""

    def __init__(self, contents: Contents) -> None:
        super().__init__(contents, BOTS)
        self._owned: list[MemoryRepository[Any]] = [MemoryRepository(contents, shape)
                                                    for shape in OWNED]  # fmt: skip

    def delete(self, key: str) -> None:
        """Raises NotFound."""
        super().delete(key)
        for repository in self._owned:
            for one in repository.select(bot_id=key):
                repository.delete(repository.key_of(one))


class MemoryTransaction:
    """``ports.Transaction`` over the contents of one moment. A repository is made when it is first
    used: a transaction uses two or three of them."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents

    def __getattr__(self, name: str) -> Any:
        if name not in REPOSITORIES:
            raise AttributeError(name)
        made: MemoryRepository[Any] = (
            BotRepository(self._contents)
            if name == "bots"
            else MemoryRepository(self._contents, REPOSITORIES[name])
        )
        setattr(self, name, made)
        return made

    def put_instrument(self, market_id: str, instrument: Instrument) -> None:
        """Insert or replace."""
        rows, _taken = self._contents.change("instruments")
        rows[f"{market_id}\n{instrument.symbol}"] = instrument

    def find_instrument(self, market_id: str, symbol: str) -> Instrument | None:
        """None when there is none."""
        return self._contents.rows("instruments").get(f"{market_id}\n{symbol}")

    def find_setting(self, key: str) -> str | None:
        """None when there is none."""
        return self._contents.rows("settings").get(key)

    def put_setting(self, key: str, value: str) -> None:
        """Insert or replace."""
        rows, _taken = self._contents.change("settings")
        rows[key] = value


@dataclass
class Memory:
    """What several stores share, as several engines share a database."""

    contents: Contents = field(default_factory=lambda: Contents({}, {}))
    lock: threading.Lock = field(default_factory=threading.Lock)
    writing_thread: int | None = None
    lease: Lease | None = None


class MemoryStore:
    """Implements ``Store``. ``commits`` counts; ``before_commit`` and ``after_commit`` may raise,
    as a full disk does before, and a crash of the engine before or after."""

    def __init__(
        self, now: Callable[[], datetime] | None = None, memory: Memory | None = None
    ) -> None:
        self.memory = memory or Memory()
        self.commits = 0
        self.before_commit: Callable[[], None] | None = None
        self.after_commit: Callable[[], None] | None = None
        self._now = now or FakeClock().now
        self._held: Lease | None = None

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Read and write, as ``ports.Store`` says."""
        with self._writing():
            self._check_lease()
            contents = self.memory.contents.begin()
            yield cast(Transaction, MemoryTransaction(contents))
            if contents.has_failed:
                raise StoreError("A step of this transaction had failed. Nothing was written.")
            if self.before_commit is not None:
                self.before_commit()
            contents.is_writable = False
            self.memory.contents = contents
            self.commits += 1
        if self.after_commit is not None:
            self.after_commit()

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Read one snapshot. Writes in it raise StoreError."""
        yield cast(Transaction, MemoryTransaction(self.memory.contents))

    def acquire_lease(self, owner: str, detail: str, ttl: timedelta) -> Lease:
        """Raises Conflict, as ``ports.Store`` says."""
        with self._writing():
            now, current = self._now(), self.memory.lease
            if current and current.owner not in ("", owner) and current.expires_at > now:
                raise Conflict(
                    f"Another engine ({current.detail or current.owner}) holds this database until"
                    f" {current.expires_at:%H:%M:%S} UTC. Stop it, or wait until then."
                )
            term = current.term + 1 if current else 1
            lease = Lease(owner=owner, term=term, expires_at=now + ttl, detail=detail)
            self.memory.lease = self._held = lease
        return lease

    def renew_lease(self, lease: Lease, ttl: timedelta) -> Lease:
        """Raises LeaseLost."""
        with self._writing():
            self._check_lease(lease)
            self.memory.lease = lease.model_copy(update={"expires_at": self._now() + ttl})
            return self.memory.lease

    def release_lease(self, lease: Lease) -> None:
        """Give it up; nothing happens when it is somebody else's already."""
        with self._writing():
            if _is_same(self.memory.lease, lease):
                changes = {"owner": "", "expires_at": self._now()}
                self.memory.lease = lease.model_copy(update=changes)

    def close(self) -> None:
        """Nothing is open."""

    def rows(self, table: str) -> Mapping[str, Any]:
        """What is committed, by key, in the order of writing."""
        return self.memory.contents.rows(table)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One writer at a time, over all stores of one memory."""
        memory = self.memory
        if memory.writing_thread == threading.get_ident():
            raise RuntimeError("a write inside another write of the same thread")
        if not memory.lock.acquire(timeout=BUSY_TIMEOUT_S):
            raise StoreError("The database is busy with another program. Nothing was written.")
        try:
            memory.writing_thread = threading.get_ident()
            yield
        finally:
            memory.writing_thread = None
            memory.lock.release()

    def _check_lease(self, held: Lease | None = None) -> None:
        """Raises LeaseLost when the lease that was taken is somebody else's now."""
        held, current = held or self._held, self.memory.lease
        if held is None or _is_same(current, held):
            return
        if current is None or not current.owner:
            raise LeaseLost("This engine has given up the database and writes no more.")
        raise LeaseLost(
            f"Another engine ({current.detail or current.owner}) took the database over; this one"
            " writes no more and must stop."
        )


def _is_same(current: Lease | None, held: Lease) -> bool:
    return current is not None and (current.owner, current.term) == (held.owner, held.term)
