"""Figures of the bridge to MetaTrader: who was heard, what came, what became of orders."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from engine.domain.mailbox import ENDS
from engine.domain.pushed import MARKET_KIND, SILENT_AFTER, PushedPrice, Terminal, key_of
from engine.domain.signals import SignalKind, SignalSource
from engine.ports import Clock, Store, Transaction

PREFIX = "mt_"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Counted:
    """How many there were of something in the last hour and the last day."""

    key: tuple[str, ...]
    last_hour: int
    last_day: int


@dataclass(frozen=True)
class Figures:
    """Everything at one moment. ``signals`` by source, sender and kind; ``refused`` by sender, in
    the last day; ``orders`` by account and end ('': none yet); ``advice`` by its state."""

    time: datetime
    signals: Sequence[Counted]
    refused: Mapping[str, int]
    prices: Sequence[PushedPrice]
    orders: Mapping[tuple[str, str], int]
    advice: Sequence[Counted]


class BridgeReader:
    """Reads the store; thread-safe."""

    def __init__(self, store: Store, clock: Clock, silent_after: timedelta = SILENT_AFTER) -> None:
        self._store = store
        self._clock = clock
        self._silent_after = silent_after

    def now(self) -> datetime:
        """The time that ages are counted from."""
        return self._clock.now()

    def terminals(self) -> Sequence[Terminal]:
        """All that were ever heard, the newest first."""
        with self._store.reading() as tx:
            return tx.terminals.select(is_descending=True)

    def is_silent(self, moment: datetime | None) -> bool:
        """Whether nothing has come since ``moment`` for too long."""
        return moment is None or self._clock.now() - moment > self._silent_after

    def figures(self) -> Figures:
        """What came and what became of it."""
        now = self._clock.now()
        with self._store.reading() as tx:
            return Figures(
                time=now,
                signals=[*_prices(tx, now), *_others(tx, now)],
                refused=Counter(
                    str(sender) for (sender,) in
                    tx.signals.values("sender", since=now - DAY, state="refused")
                ),
                prices=tx.pushed_prices.select(),
                orders=_orders(tx, now),
                advice=_counted(lambda since: tx.advice.values("state", since=since), now),
            )  # fmt: skip

    def find_indicators(self, market_id: str, symbol: str) -> Mapping[str, float]:
        """The newest indicators that were pushed of a symbol, for a model's eyes (``mt_rsi_14``:
        51.5): of a pushed market, or of the account whose orders an advisor executes. Empty where
        there are none, or where nothing has been heard of the symbol lately."""
        kind, _, name = market_id.partition(":")
        with self._store.reading() as tx:
            account: str | None = name if kind == MARKET_KIND else None
            if kind in ("account", "prices"):
                kept = tx.venue_accounts.find(name)
                is_advisors = kept is not None and kept.venue == "mt5_ea"
                account = str(kept.options.get("login")) if kept and is_advisors else None
            price = tx.pushed_prices.find(key_of(account, symbol)) if account else None
        if price is None or self.is_silent(price.received_at):
            return {}
        return {f"{PREFIX}{name}": value for name, value in price.indicators.items()}


def _prices(tx: Transaction, now: datetime) -> list[Counted]:
    """Messages of prices by who pushed them: too many to be read, so they are counted."""
    found = []
    for terminal in tx.terminals.select(order_by="account"):
        narrow: dict[str, Any] = {"kind": SignalKind.PRICES, "sender": terminal.account}
        last_day = tx.signals.count(since=now - DAY, **narrow)
        if last_day:
            key = (str(SignalSource.METATRADER), terminal.account, str(SignalKind.PRICES))
            found.append(Counted(key, tx.signals.count(since=now - HOUR, **narrow), last_day))
    return found


def _others(tx: Transaction, now: datetime) -> list[Counted]:
    """All other signals."""
    kinds = [kind for kind in SignalKind if kind is not SignalKind.PRICES]
    return _counted(
        lambda since: tx.signals.values("source", "sender", "kind", since=since, kind=kinds), now
    )


def _orders(tx: Transaction, now: datetime) -> Mapping[tuple[str, str], int]:
    """Those that are open, and those that ended in the last day."""
    ended = tx.box_orders.values("account", "end", since=now - DAY, end=ENDS)
    working = tx.box_orders.values("account", "end", end="")
    return Counter((str(account), str(end)) for account, end in (*ended, *working))


def _counted(
    rows: Callable[[datetime], Sequence[tuple[object, ...]]], now: datetime
) -> list[Counted]:
    day = Counter(tuple(str(part) for part in row) for row in rows(now - DAY))
    hour = Counter(tuple(str(part) for part in row) for row in rows(now - HOUR))
    return [Counted(key, hour[key], count) for key, count in sorted(day.items())]
