"""``ports.Store`` on SQLite or PostgreSQL."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from engine.adapters.store.account_tables import AccountLineRow, AccountRow, FindingRow
from engine.adapters.store.alert_tables import (
    AlertRow,
    ChannelRow,
    DeliveryRow,
    PriceAlertRow,
)
from engine.adapters.store.backtest_tables import BacktestRunRow
from engine.adapters.store.columns import table_of
from engine.adapters.store.database import Database, Session
from engine.adapters.store.facts import read_facts
from engine.adapters.store.lease import DatabaseLease
from engine.adapters.store.migrate import migrate
from engine.adapters.store.outside_tables import (
    AdviceRow,
    ListenerRow,
    NewsRow,
    SignalRow,
    TokenRow,
)
from engine.adapters.store.pushed_tables import (
    BoxOrderRow,
    PushedBarRow,
    PushedPriceRow,
    TerminalRow,
)
from engine.adapters.store.repository import SqlRepository, TableMap
from engine.adapters.store.study_tables import RetuneRow, StudyRow
from engine.adapters.store.tables import (
    AuditRow,
    BotRow,
    ConfigurationRow,
    DecisionRow,
    EntryRow,
    EquityRow,
    EventRow,
    FillRow,
    InstrumentRow,
    OrderRow,
    PositionRow,
    SettingRow,
    TradeRow,
)
from engine.adapters.store.venue_account_tables import AccountSecretRow, VenueAccountRow
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
from engine.ports import Repository, StoreFacts, Transaction

BUSY_TIMEOUT_S = 5.0


def _bot_columns(bot: Bot) -> dict[str, Any]:
    config = bot.config
    return {
        "name": config.name,
        "name_key": config.name.casefold(),
        "market": config.market,
        "symbol": config.symbol,
        "strategy": config.strategy,
        "timeframe": config.timeframe,
    }


BOTS = TableMap(Bot, BotRow, noun="bot", time="created_at", more=_bot_columns,
                search=("name", "symbol", "strategy"))  # fmt: skip
CONFIGURATIONS = TableMap(
    StrategyConfiguration, ConfigurationRow, noun="configuration", time="created_at"
)
ORDERS = TableMap(Order, OrderRow, noun="order", time="created_at", key="client_id",
                  search=("client_id", "symbol", "reason", "error"))  # fmt: skip
FILLS = TableMap(Fill, FillRow, noun="fill", time="time", search=("symbol",))
POSITIONS = TableMap(Position, PositionRow, noun="position", time="opened_at", search=("symbol",))
ENTRIES = TableMap(PositionEntry, EntryRow, noun="position entry", time="time")
TRADES = TableMap(Trade, TradeRow, noun="trade", time="exit_time",
                  search=("bot_name", "symbol", "strategy", "exit_reason"))  # fmt: skip
DECISIONS = TableMap(Decision, DecisionRow, noun="decision", time="candle_time",
                     search=("reason",))  # fmt: skip
EQUITY = TableMap(EquityPoint, EquityRow, noun="equity point", time="time")
ACCOUNTS = TableMap(AccountState, AccountRow, noun="account", time="checked_at", key="account_id")
LINES = TableMap(AccountLine, AccountLineRow, noun="account line", time="time")
FINDINGS = TableMap(Finding, FindingRow, noun="finding", time="last_seen")
EVENTS = TableMap(Event, EventRow, noun="event", time="time", search=("message",))
AUDIT = TableMap(AuditEntry, AuditRow, noun="audit entry", time="time", order="seq",
                 search=("actor", "action", "subject"))  # fmt: skip
BACKTESTS = TableMap(
    BacktestRun, BacktestRunRow, noun="backtest", time="created_at", search=("name",),
    more=lambda run: {"strategy": run.request.strategy, "timeframe": run.request.timeframe},
)  # fmt: skip
STUDIES = TableMap(
    Study, StudyRow, noun="study", time="created_at", search=("name", "symbol"),
    more=lambda study: {"strategy": study.request.backtest.strategy},
)  # fmt: skip
VENUE_ACCOUNTS = TableMap(
    VenueAccount, VenueAccountRow, noun="account", time="created_at", search=("name", "venue"),
    more=lambda account: {"name_key": account.name.casefold()},
)  # fmt: skip
SECRETS = TableMap(SealedSecret, AccountSecretRow, noun="secret", time="updated_at")
RETUNES = TableMap(Retune, RetuneRow, noun="re-tuning", time="updated_at", key="bot_id")
SIGNALS = TableMap(Signal, SignalRow, noun="signal", time="received_at",
                   search=("body", "outcome", "sender"))  # fmt: skip
LISTENERS = TableMap(Listener, ListenerRow, noun="listener", time="created_at", key="bot_id")
ADVICE = TableMap(
    Advice, AdviceRow, noun="advice", time="asked_at",
    search=("bot_name", "symbol", "answer", "error"),
    more=lambda advice: {"action": advice.action, "verdict": advice.verdict},
)  # fmt: skip
NEWS = TableMap(NewsItem, NewsRow, noun="news item", time="published_at",
                search=("title", "summary"))  # fmt: skip
TOKENS = TableMap(
    ApiToken, TokenRow, noun="token", time="created_at", search=("name",),
    more=lambda token: {"name_key": token.name.casefold()},
)  # fmt: skip
ALERTS = TableMap(Alert, AlertRow, noun="alert", time="time", search=("title", "text"))
CHANNELS = TableMap(Channel, ChannelRow, noun="channel", time="created_at", search=("name",),
                    more=lambda channel: {"name_key": channel.name.casefold()})  # fmt: skip
DELIVERIES = TableMap(Delivery, DeliveryRow, noun="delivery", time="created_at",
                      search=("title", "text", "answer", "error"))  # fmt: skip
PRICE_ALERTS = TableMap(PriceAlert, PriceAlertRow, noun="price alert", time="created_at",
                        search=("symbol", "note"))  # fmt: skip
PUSHED_BARS = TableMap(PushedBar, PushedBarRow, noun="bar", time="time")
PUSHED_PRICES = TableMap(PushedPrice, PushedPriceRow, noun="price", time="received_at",
                         order="symbol", search=("symbol",))  # fmt: skip
TERMINALS = TableMap(Terminal, TerminalRow, noun="terminal", time="seen_at", key="account")
BOX_ORDERS = TableMap(BoxOrder, BoxOrderRow, noun="order", time="touched_at", order="created_at")

_INSTRUMENTS = table_of(InstrumentRow)
_INSTRUMENT_FIELDS = list(Instrument.model_fields)
_SETTINGS = table_of(SettingRow)
_IS_SETTING = _SETTINGS.c.key == bindparam("wanted_key")
_IS_INSTRUMENT = (
    (_INSTRUMENTS.c.market == bindparam("wanted_market"))
    & (_INSTRUMENTS.c.symbol == bindparam("wanted_symbol"))
)  # fmt: skip


class SqlTransaction:
    """``ports.Transaction`` over one session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.bots: Repository[Bot] = SqlRepository(session, BOTS)
        self.configurations: Repository[StrategyConfiguration] = SqlRepository(
            session, CONFIGURATIONS
        )
        self.orders: Repository[Order] = SqlRepository(session, ORDERS)
        self.fills: Repository[Fill] = SqlRepository(session, FILLS)
        self.positions: Repository[Position] = SqlRepository(session, POSITIONS)
        self.entries: Repository[PositionEntry] = SqlRepository(session, ENTRIES)
        self.trades: Repository[Trade] = SqlRepository(session, TRADES)
        self.decisions: Repository[Decision] = SqlRepository(session, DECISIONS)
        self.equity: Repository[EquityPoint] = SqlRepository(session, EQUITY)
        self.accounts: Repository[AccountState] = SqlRepository(session, ACCOUNTS)
        self.lines: Repository[AccountLine] = SqlRepository(session, LINES)
        self.findings: Repository[Finding] = SqlRepository(session, FINDINGS)
        self.events: Repository[Event] = SqlRepository(session, EVENTS)
        self.audit: Repository[AuditEntry] = SqlRepository(session, AUDIT)
        self.backtests: Repository[BacktestRun] = SqlRepository(session, BACKTESTS)
        self.studies: Repository[Study] = SqlRepository(session, STUDIES)
        self.retunes: Repository[Retune] = SqlRepository(session, RETUNES)
        self.venue_accounts: Repository[VenueAccount] = SqlRepository(session, VENUE_ACCOUNTS)
        self.secrets: Repository[SealedSecret] = SqlRepository(session, SECRETS)
        self.signals: Repository[Signal] = SqlRepository(session, SIGNALS)
        self.listeners: Repository[Listener] = SqlRepository(session, LISTENERS)
        self.advice: Repository[Advice] = SqlRepository(session, ADVICE)
        self.news: Repository[NewsItem] = SqlRepository(session, NEWS)
        self.tokens: Repository[ApiToken] = SqlRepository(session, TOKENS)
        self.alerts: Repository[Alert] = SqlRepository(session, ALERTS)
        self.channels: Repository[Channel] = SqlRepository(session, CHANNELS)
        self.deliveries: Repository[Delivery] = SqlRepository(session, DELIVERIES)
        self.price_alerts: Repository[PriceAlert] = SqlRepository(session, PRICE_ALERTS)
        self.pushed_bars: Repository[PushedBar] = SqlRepository(session, PUSHED_BARS)
        self.pushed_prices: Repository[PushedPrice] = SqlRepository(session, PUSHED_PRICES)
        self.terminals: Repository[Terminal] = SqlRepository(session, TERMINALS)
        self.box_orders: Repository[BoxOrder] = SqlRepository(session, BOX_ORDERS)

    def put_instrument(self, market_id: str, instrument: Instrument) -> None:
        """Insert or replace."""
        values = {name: getattr(instrument, name) for name in _INSTRUMENT_FIELDS}
        key = {"wanted_market": market_id, "wanted_symbol": instrument.symbol}
        if not self._session.change(update(_INSTRUMENTS).where(_IS_INSTRUMENT), values | key):
            self._session.change(insert(_INSTRUMENTS), values | {"market": market_id})

    def find_instrument(self, market_id: str, symbol: str) -> Instrument | None:
        """None when there is none."""
        statement = select(*(_INSTRUMENTS.c[name] for name in _INSTRUMENT_FIELDS))
        key = {"wanted_market": market_id, "wanted_symbol": symbol}
        rows = self._session.rows(statement.where(_IS_INSTRUMENT), key)
        if not rows:
            return None
        return Instrument.model_validate(dict(zip(_INSTRUMENT_FIELDS, rows[0], strict=True)))

    def find_setting(self, key: str) -> str | None:
        """None when there is none."""
        statement = select(_SETTINGS.c.value).where(_IS_SETTING)
        rows = self._session.rows(statement, {"wanted_key": key})
        return str(rows[0][0]) if rows else None

    def put_setting(self, key: str, value: str) -> None:
        """Insert or replace."""
        changed = update(_SETTINGS).where(_IS_SETTING)
        if not self._session.change(changed, {"wanted_key": key, "value": value}):
            self._session.change(insert(_SETTINGS), {"key": key, "value": value})


class SqlStore:
    """``ports.Store``. Thread-safe; build it with ``open``."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self.database = database
        self._lease = DatabaseLease(database, now)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> "SqlStore":
        """Make the folder, bring the tables up to date, open the database.

        ``busy_timeout_s`` is how long a write waits for other writers. Raises ConfigError, in one
        sentence, when the database cannot be used or was written by a newer version.
        """
        database = Database(url, busy_timeout_s)
        migrate(database)
        return cls(database, now)

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Read and write, as ``ports.Store`` says."""
        with self.database.writing() as session:
            yield SqlTransaction(session)

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """Read one snapshot, as ``ports.Store`` says. Writes in it raise StoreError."""
        with self.database.reading() as session:
            yield SqlTransaction(session)

    def acquire_lease(self, owner: str, detail: str, ttl: timedelta) -> Lease:
        """Raises Conflict, as ``ports.Store`` says."""
        return self._lease.acquire(owner, detail, ttl)

    def renew_lease(self, lease: Lease, ttl: timedelta) -> Lease:
        """Raises LeaseLost."""
        return self._lease.renew(lease, ttl)

    def release_lease(self, lease: Lease) -> None:
        """Give it up; this store writes no more until it acquires it again."""
        self._lease.release(lease)

    def facts(self, *, is_deep: bool = False) -> StoreFacts:
        """What kind of database it is; a deep look reads all its pages. Raises StoreError."""
        return read_facts(self.database, is_deep=is_deep)

    def close(self) -> None:
        """Close all connections."""
        self.database.close()
