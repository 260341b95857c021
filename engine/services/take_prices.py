"""Prices that are pushed: kept with their signal in one commit, and bots told of new bars.

The same message delivered again is one signal; the same bar again changes nothing, and a bar that
is told otherwise replaces what was known and is counted.
"""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.domain.pushed import (
    PushedBar,
    PushedPrice,
    PushedPrices,
    Sender,
    Terminal,
    bar_key,
    decimals_of,
    key_of,
    market_of,
)
from engine.domain.signals import Signal, SignalKind, SignalSource, SignalState
from engine.domain.timeframes import timeframe_delta, timeframe_s
from engine.errors import ConfigError
from engine.ports import Clock, Store, Transaction

MOST_AHEAD = timedelta(seconds=30)
MOST_BEHIND = timedelta(minutes=5)
HISTORY = 500
"""Bars that are asked for when the first one of a symbol comes, and at most to fill a gap."""

KEPT_BARS = 20_000
"""Of each symbol and timeframe; older ones are dropped."""

OnBar = Callable[[Sequence[str], str], None]


@dataclass(frozen=True)
class Envelope:
    """What came over the wire, and from where."""

    body: str
    content_type: str = "application/json"
    address: str = ""


@dataclass(frozen=True)
class Kept:
    """What became of a message: its signal, and whether it was here before."""

    signal_id: str
    is_copy: bool


@dataclass(frozen=True)
class Taken(Kept):
    """What became of a message of prices. ``bar``: new, same, changed or none; ``wants_bars``: how
    many bars up to the last closed one the next message should have."""

    market: str
    bar: str
    wants_bars: int


def nobody(_markets: Sequence[str], _symbol: str) -> None:
    """Who is told of new bars before anybody wants to know."""


class PriceTaker:
    """Thread-safe. ``on_bar`` is called after the commit of a new or changed bar, with the markets
    it belongs to and its symbol, from whatever thread."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._asked: dict[tuple[str, str, str], datetime] = {}
        self.on_bar: OnBar = nobody

    def take(self, told: PushedPrices, envelope: Envelope) -> Taken:
        """Keep it. A body is a copy of one with the same time; one that tells none is another
        each time, for prices may stand still. Raises ConfigError naming the field, StoreError when
        nothing was kept."""
        now = self._clock.now()
        check_times(told, now)
        account = told.sender.account
        with self._store.transaction() as tx:
            kept = keep_signal(
                tx, told.sender, SignalKind.PRICES, envelope, now, sent_at=told.sent_at,
                identity=f"{told.sent_at.isoformat()}\n{envelope.body}",
                since=now - MOST_BEHIND - MOST_AHEAD,
                outcome=f"prices of {told.symbol} {told.timeframe}",
            )  # fmt: skip
            bar, wanted = "none", 0
            if not kept.is_copy:
                hear(tx, told.sender, now)
                bar = _put_bars(tx, told)
                _put_price(tx, told, now)
                wanted = self._missing(tx, told)
            markets = _markets_of(tx, account)
        if bar in ("new", "changed"):
            self.on_bar(markets, told.symbol)
        return Taken(kept.signal_id, kept.is_copy, market_of(account), bar, wanted)

    def _missing(self, tx: Transaction, told: PushedPrices) -> int:
        """How many bars to ask for; once for each newest bar."""
        key = (told.sender.account, told.symbol, told.timeframe)
        if told.bar is None or told.earlier or self._asked.get(key) == told.bar.time:
            return 0
        self._asked[key] = told.bar.time
        found = tx.pushed_bars.select(
            account=key[0], symbol=key[1], timeframe=key[2],
            until=told.bar.time, is_descending=True, limit=1,
        )  # fmt: skip
        if not found:
            return HISTORY
        behind = (told.bar.time - found[0].time) // timeframe_delta(told.timeframe)
        return min(behind + 1, HISTORY) if behind > 1 else 0

    def tidy(self) -> int:
        """Drop bars that are too old to be of use; how many went."""
        now, dropped = self._clock.now(), 0
        with self._store.transaction() as tx:
            lengths = {name for price in tx.pushed_prices.select() for name in price.timeframes}
            for timeframe in lengths:
                oldest = now - timedelta(seconds=KEPT_BARS * timeframe_s(timeframe))
                dropped += tx.pushed_bars.prune(oldest, timeframe=timeframe)
        return dropped


def check_times(told: PushedPrices, now: datetime) -> None:
    """Raises ConfigError for a message of another time, and for bars that have not closed."""
    behind = now - told.sent_at
    if -behind > MOST_AHEAD:
        raise ConfigError(
            f"time is {-behind.total_seconds():.0f} s in the future: set the sender's clock.",
            field="time",
        )
    if behind > MOST_BEHIND:
        raise ConfigError(
            f"time is {behind.total_seconds():.0f} s ago: prices that old are not taken; set the"
            " sender's clock, or send sooner.",
            field="time",
        )  # fmt: skip
    length = timeframe_delta(told.timeframe)
    for bar in (*told.earlier, *([told.bar] if told.bar else [])):
        if int(bar.time.timestamp()) % timeframe_s(told.timeframe):
            raise ConfigError(
                f"bar_time {bar.time:%H:%M:%S} is not where a candle of {told.timeframe} begins in"
                " UTC. Send H1 or shorter bars: longer candles are joined from them.",
                field="bar_time",
            )  # fmt: skip
        if bar.time + length > now + MOST_AHEAD:
            raise ConfigError(
                f"The bar of {bar.time:%Y-%m-%d %H:%M} has not closed yet: send closed bars only.",
                field="bar_time",
            )


def hear(tx: Transaction, sender: Sender, now: datetime) -> Terminal:
    """Note that an account's terminal spoke, and what it says of itself."""
    known = tx.terminals.find(sender.account)
    terminal = (known or Terminal(account=sender.account, seen_at=now)).heard(sender, now)
    if known is None:
        tx.terminals.add(terminal)
    else:
        tx.terminals.save(terminal)
    return terminal


def keep_signal(
    tx: Transaction, sender: Sender, kind: SignalKind, envelope: Envelope, now: datetime, *,
    sent_at: datetime | None, identity: str, outcome: str, since: datetime | None = None,
    state: SignalState = SignalState.ACTED,
) -> Kept:  # fmt: skip
    """Put a message into the inbox, or count it as a copy of one of the same ``identity`` that
    came at or after ``since``."""
    digest = hashlib.sha256(f"{kind}\n{identity}".encode()).hexdigest()
    found = tx.signals.select(sender=sender.account, digest=digest, since=since, limit=1)
    if found:
        tx.signals.save(found[0].model_copy(update={"copies": found[0].copies + 1}))
        return Kept(found[0].id, is_copy=True)
    signal = Signal(
        id=secrets.token_hex(8), source=SignalSource.METATRADER, kind=kind,
        sender=sender.account, digest=digest, state=state, outcome=outcome, received_at=now,
        sent_at=sent_at, acted_at=now if state is SignalState.ACTED else None,
        address=envelope.address, content_type=envelope.content_type, body=envelope.body,
    )  # fmt: skip
    tx.signals.add(signal)
    return Kept(signal.id, is_copy=False)


def _markets_of(tx: Transaction, account: str) -> tuple[str, ...]:
    """Every market that these prices are of: the pushed one, and those of accounts whose orders
    the advisor executes."""
    venues = tx.venue_accounts.select(venue="mt5_ea")
    own = [one for one in venues if str(one.options.get("login")) == account]
    return (market_of(account), *(market_id for one in own for market_id in one.market_ids))


def _put_bars(tx: Transaction, told: PushedPrices) -> str:
    """Keep the bars; what they were, the strongest word first."""
    if told.bar is None:
        return "none"
    bars = {bar_key(told.sender.account, told.symbol, told.timeframe, bar.time): bar
            for bar in (*told.earlier, told.bar)}  # fmt: skip
    known = tx.pushed_bars.select(
        account=told.sender.account, symbol=told.symbol, timeframe=told.timeframe,
        since=min(bar.time for bar in bars.values()),
    )  # fmt: skip
    changed = [one for one in known if one.id in bars and not one.is_told_as(bars[one.id])]
    for one in changed:
        changes = {**bars[one.id].model_dump(), "changes": one.changes + 1}
        tx.pushed_bars.save(one.model_copy(update=changes))
    new = bars.keys() - {one.id for one in known}
    tx.pushed_bars.add(
        *(
            PushedBar(id=key, account=told.sender.account, symbol=told.symbol,
                      timeframe=told.timeframe, **bars[key].model_dump())
            for key in new
        )
    )  # fmt: skip
    return "changed" if changed else "new" if new else "same"


def _put_price(tx: Transaction, told: PushedPrices, now: datetime) -> None:
    """Keep the newest prices; a message that was overtaken changes them no more."""
    key = key_of(told.sender.account, told.symbol)
    known = tx.pushed_prices.find(key)
    bar = told.bar
    digits = decimals_of(told.bid, told.ask, *((bar.open, bar.close) if bar else ()))
    names = {told.timeframe} if bar else set()
    price = PushedPrice(
        id=key, account=told.sender.account, symbol=told.symbol, bid=told.bid, ask=told.ask,
        timeframes=tuple(sorted(names, key=timeframe_s)), sent_at=told.sent_at, received_at=now,
        digits=digits, facts=told.facts, indicators=told.indicators,
    )  # fmt: skip
    if known is None:
        tx.pushed_prices.add(price)
        return
    changes: dict[str, object] = {
        "received": known.received + 1,
        "timeframes": tuple(sorted({*known.timeframes, *names}, key=timeframe_s)),
        "digits": max(known.digits, digits),
    }
    if told.sent_at >= known.sent_at:
        changes |= {"bid": told.bid, "ask": told.ask, "sent_at": told.sent_at, "received_at": now,
                    "facts": told.facts or known.facts,
                    "indicators": told.indicators or known.indicators}  # fmt: skip
    tx.pushed_prices.save(known.model_copy(update=changes))
