"""The backtest of one symbol to the last digit: what a paper bot on a replay would have booked.

Prices, quantities, fees and levels are Decimal and come from the very functions of the live
engine (``exits``, ``matching``, ``sizing``, ``ledger``). Only the bars on which something may
happen are looked at; ``next_look`` finds them in compiled code. The order of things within a bar
is that of ``bar_loop``, which is the same backtest in float64 and far faster.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from engine.domain import bar_state as loop
from engine.domain.backtest import Leg, backtest, entry_lag_ms, flags_of
from engine.domain.backtests import (
    BacktestResult,
    BacktestTerms,
)
from engine.domain.bar_scan import MARGIN, next_look, next_trailing_look
from engine.domain.bar_state import FlagArray
from engine.domain.bots import Bot, BotConfig
from engine.domain.candles import FloatArray
from engine.domain.exact_books import ExactBooks
from engine.domain.exits import better_price, find_exit, fixed_levels, price_bar
from engine.domain.instruments import Instrument
from engine.domain.ledger import apply_fill, closed_trade, entry_side, exit_side
from engine.domain.matching import affordable, capped, fee_of, with_slippage
from engine.domain.money import ONE, ZERO, exact, floor_to, from_epoch_ms
from engine.domain.orders import Purpose, Side
from engine.domain.positions import Fill, Position, PositionSide
from engine.domain.sizing import BPS, stake

BOT_ID = "backtest"
OPPOSITE = {PositionSide.LONG: PositionSide.SHORT, PositionSide.SHORT: PositionSide.LONG}
WANT_BITS = {PositionSide.LONG: loop.WANT_LONG, PositionSide.SHORT: loop.WANT_SHORT}
EXIT_BITS = {PositionSide.LONG: loop.EXIT_LONG, PositionSide.SHORT: loop.EXIT_SHORT}
NEVER = np.inf


@dataclass(slots=True)
class _Entry:
    """An entry that is not filled yet: ``left`` of its quantity, ``spent`` of its ``amount``."""

    side: PositionSide
    amount: Decimal
    left: Decimal
    spent: Decimal = ZERO
    is_new: bool = True


def simulate(legs: Sequence[Leg], terms: BacktestTerms) -> BacktestResult:
    """The exact backtest where there is one, of a single symbol whose steps are known; else the
    one in float64. Raises ValueError like both."""
    if len(legs) == 1 and terms.price_tick is not None and terms.quantity_step is not None:
        return exact_backtest(legs[0], terms)
    return backtest(legs, terms)


def exact_backtest(leg: Leg, terms: BacktestTerms) -> BacktestResult:
    """Simulate one symbol on the tick and the quantity step of ``terms``; ``exact_trades`` has the
    trades as the books of a bot would.

    Raises ValueError without candles or steps, and for signals that do not fit the candles.
    """
    if not len(leg.bars):
        raise ValueError("a backtest needs at least one candle")
    if terms.price_tick is None or terms.quantity_step is None:
        raise ValueError("an exact backtest needs the price tick and the quantity step")
    leg.signals.check(len(leg.candles))
    base, _, quote = leg.symbol.partition("/")
    instrument = Instrument(
        symbol=leg.symbol, base=base, quote=quote or "quote", price_tick=terms.price_tick,
        quantity_step=terms.quantity_step, min_quantity=terms.min_quantity,
        min_notional=terms.min_notional, can_short=terms.can_short,
    )  # fmt: skip
    config = BotConfig.model_construct(
        name=BOT_ID, market=BOT_ID, symbol=leg.symbol, strategy=BOT_ID,
        timeframe=leg.candles.timeframe, amount=terms.amount or terms.cash / terms.max_entries,
        reinvest=terms.reinvest, direction=terms.direction, max_entries=terms.max_entries,
        **{field: getattr(terms.exits, field) for field in type(terms.exits).model_fields},
    )  # fmt: skip
    return _Run(leg, terms, instrument, config).result()


class _Run:
    """One pass over the bars."""

    def __init__(
        self, leg: Leg, terms: BacktestTerms, instrument: Instrument, config: BotConfig
    ) -> None:
        self._leg, self._terms, self._instrument, self._config = leg, terms, instrument, config
        self._bars = leg.bars
        self._flags: FlagArray = flags_of(leg, terms.direction, terms.can_short)
        self._size = _sizes(leg)
        self._half_spread = terms.spread_bps / 2
        self._lag_ms = entry_lag_ms(config.timeframe)
        self._position: Position | None = None
        self._entry_index = 0
        self._exiting: str | None = None
        self._entry: _Entry | None = None
        self._waiting: PositionSide | None = None
        self._decided_ms = 0
        self._books = ExactBooks(terms.cash, leg.bars.close)
        self._refused = dict.fromkeys(loop.REFUSALS, 0)

    def result(self) -> BacktestResult:
        """Run, and everything that was found."""
        bars = self._bars
        self._books.mark(0, self._position)
        place = self._next(0)
        while place < len(bars):
            self._bar(place)
            place = self._next(place + 1)
        return BacktestResult(
            symbols=(self._leg.symbol,),
            timeframe=self._leg.candles.timeframe,
            starting_cash=float(self._terms.cash),
            time=bars.time,
            close=bars.close,
            equity=self._books.equity(),
            trades=self._books.table(),
            open_positions=self._books.still_open(self._position, self._entry_index),
            refused={reason: count for reason, count in self._refused.items() if count},
            exact_trades=tuple(self._books.trades),
        )

    # --- which bars -----------------------------------------------------------------------------

    def _next(self, start: int) -> int:
        """The next bar on which anything may happen."""
        if self._exiting or self._entry or self._waiting:
            return start
        bars, position = self._bars, self._position
        if position is None:
            return next_look(start, bars.time, bars.high, bars.low, self._flags,
                             loop.WANT_LONG | loop.WANT_SHORT, -NEVER, NEVER, NEVER)  # fmt: skip
        is_long = position.side is PositionSide.LONG
        mask = loop.EXIT_LONG if is_long else loop.EXIT_SHORT
        if position.entry_count < self._config.max_entries:
            mask |= loop.WANT_LONG if is_long else loop.WANT_SHORT
        stop, target, until = self._quiet(position, start)
        above, below = (stop, target) if is_long else (target, stop)
        trail = float(self._config.trailing_stop or 0) * (1 if is_long else -1)
        if not trail:
            return next_look(start, bars.time, bars.high, bars.low, self._flags, mask,
                             above, below, until)  # fmt: skip
        place, best = next_trailing_look(
            start, bars.time, bars.high, bars.low, self._flags, mask, above, below, until,
            float(position.best_price), trail, float(self._instrument.price_tick),
        )  # fmt: skip
        if best != float(position.best_price):
            self._position = position.model_copy(update={"best_price": exact(best)})
        return place

    def _quiet(self, position: Position, start: int) -> tuple[float, float, float]:
        """Fixed stop and target with a margin, infinitely far without, and the time up to which
        they hold."""
        sign = 1 if position.side is PositionSide.LONG else -1
        stop = float(position.stop_price) if position.stop_price else -sign * NEVER
        target = float(position.target_price) if position.target_price else sign * NEVER
        opened_s = position.opened_at.timestamp()
        until, now_s = NEVER, self._bars.time[min(start, len(self._bars) - 1)] / 1000
        if self._config.time_limit_s is not None:
            until = opened_s + self._config.time_limit_s
        for step in self._config.roi_steps:
            if opened_s + step.after_s > now_s:
                until = min(until, opened_s + step.after_s)
                continue
            roi = float(position.average_price) * (1 + sign * float(step.profit))
            tick = float(self._instrument.price_tick)
            target = min(target, roi - tick) if sign > 0 else max(target, roi + tick)
        return stop * (1 + sign * MARGIN), target * (1 - sign * MARGIN), until * 1000

    # --- one bar --------------------------------------------------------------------------------

    def _bar(self, place: int) -> None:
        """The three steps of ``bar_loop``."""
        self._inside(place)
        if place + 1 >= len(self._bars):
            return
        if self._exiting:
            self._reduce(place + 1, self._open_price(place + 1))
            if self._exiting:
                return
            side, self._waiting = self._waiting, None
            if side and self._bars.time[place] - self._decided_ms <= self._lag_ms:
                self._order_entry(side, place + 1)
        elif self._entry:
            self._enter(place + 1)
        self._decide(place)

    def _inside(self, place: int) -> None:
        position = self._position
        if position is None:
            return
        bar = price_bar(self._bars.bar(place))
        trigger = find_exit(position, self._config, self._instrument, bar)
        if trigger is not None:
            self._entry = self._waiting = None  # taken back, of a reversal under way too
            if not self._exiting:
                self._exiting = trigger.reason
                self._reduce(place, trigger.price)
        elif self._config.trailing_stop is not None:
            best = better_price(position, bar)
            self._position = position.model_copy(update={"best_price": best})

    def _decide(self, place: int) -> None:
        """What the candle that closes with bar ``place`` says, and its fills at the next open."""
        flags, position = int(self._flags[place]), self._position
        if position is not None and flags & EXIT_BITS[position.side]:
            other = OPPOSITE[position.side]
            is_reversal = flags & WANT_BITS[other] and self._entry is None
            self._exiting, self._entry = "signal", None
            self._waiting = other if is_reversal else None
            self._decided_ms = int(self._bars.time[place])
            self._reduce(place + 1, self._open_price(place + 1))
            if is_reversal and not self._exiting:
                self._waiting = None
                self._order_entry(other, place + 1)
            return
        if self._entry is not None:
            return
        for side in PositionSide:
            if flags & WANT_BITS[side] and self._may_enter(side):
                self._order_entry(side, place + 1, self._part(place))

    def _may_enter(self, side: PositionSide) -> bool:
        position = self._position
        if position is None:
            return True
        return position.side is side and position.entry_count < self._config.max_entries

    def _part(self, place: int) -> float:
        return float(self._size[place]) if len(self._size) else 1.0

    # --- orders ---------------------------------------------------------------------------------

    def _order_entry(self, side: PositionSide, place: int, part: float = 1.0) -> None:
        instrument, fee_bps = self._instrument, self._terms.fee_bps
        amount = stake(self._bot(), part)
        price = self._taken(entry_side(side), self._open_price(place))
        free = self._free()
        if amount > free and self._terms.amount is not None:
            self._refused[loop.REFUSALS[loop.NO_CASH]] += 1
            return
        amount = min(amount, max(free, ZERO))
        if side is PositionSide.LONG:
            quantity = affordable(amount, price, fee_bps, instrument.quantity_step)
        else:
            quantity = floor_to(amount / price, instrument.quantity_step)
        is_small = quantity <= 0 or quantity < instrument.min_quantity
        if (
            is_small
            or amount < instrument.min_notional
            or quantity * price < instrument.min_notional
        ):
            self._refused[loop.REFUSALS[loop.MINIMUM]] += 1
            return
        self._entry = _Entry(side, amount, quantity)
        self._enter(place)

    def _enter(self, place: int) -> None:
        """Fill what the bar's volume and the order's funds allow, at its open."""
        entry = self._entry
        assert entry is not None  # noqa: S101 - for the type checker
        instrument, terms, side = self._instrument, self._terms, entry_side(entry.side)
        price = self._taken(side, self._open_price(place))
        possible = entry.left
        if side is Side.BUY:
            funds = entry.amount - entry.spent
            if entry.left * price + fee_of(entry.left * price, terms.fee_bps) > funds:
                possible = affordable(funds, price, terms.fee_bps, instrument.quantity_step)
        quantity = min(self._capped(entry.left, place), possible)
        if quantity:
            self._book_entry(entry, place, price, quantity)
        is_spent = possible < entry.left + quantity and quantity == possible
        if entry.left <= 0 or is_spent:
            self._entry = None

    def _book_entry(self, entry: _Entry, place: int, price: Decimal, quantity: Decimal) -> None:
        fill = self._fill(place, entry_side(entry.side), Purpose.ENTRY, price, quantity)
        position = self._position
        if position is None:
            position = _opened(fill, entry.side)
            self._entry_index = place
        position = apply_fill(position, fill, self._instrument.base, self._instrument.quote)
        stop, target = fixed_levels(
            self._config, position.side, position.average_price, self._instrument
        )
        self._position = position.model_copy(
            update={
                "entry_count": position.entry_count + entry.is_new,
                "stop_price": stop,
                "target_price": target,
            }
        )
        entry.left -= quantity
        entry.spent += price * quantity + fill.fee
        entry.is_new = False
        self._books.mark(place, self._position)

    def _reduce(self, place: int, price: Decimal) -> None:
        """Close what the bar's volume allows, at ``price`` less what a taker pays."""
        position = self._position
        assert position is not None  # noqa: S101 - for the type checker
        side = exit_side(position.side)
        price = self._taken(side, price)
        quantity = self._capped(position.quantity, place)
        if not quantity:
            return
        fill = self._fill(place, side, Purpose.EXIT, price, quantity)
        position = apply_fill(position, fill, self._instrument.base, self._instrument.quote)
        self._position = position
        if not position.is_open:
            self._close(position, place)
        self._books.mark(place, self._position)

    def _close(self, position: Position, place: int) -> None:
        reason = self._exiting or ""
        trade = closed_trade(self._bot(), position, self._instrument.quote, reason)
        self._books.close(trade, self._entry_index, place)
        self._position = self._exiting = None

    def _fill(
        self, place: int, side: Side, purpose: Purpose, price: Decimal, quantity: Decimal
    ) -> Fill:
        time = from_epoch_ms(int(self._bars.time[place]))
        return Fill.model_construct(
            id="", trade_id="", client_id="",
            position_id=f"{BOT_ID}-{len(self._books.trades) + 1}", bot_id=BOT_ID, account_id=BOT_ID,
            symbol=self._instrument.symbol, side=side, purpose=purpose, price=price,
            quantity=quantity, fee=fee_of(price * quantity, self._terms.fee_bps),
            fee_asset=self._instrument.quote, fee_value=ZERO, time=time,
        )  # fmt: skip

    # --- amounts --------------------------------------------------------------------------------

    def _bot(self) -> Bot:
        now = from_epoch_ms(0)
        return Bot.model_construct(id=BOT_ID, config=self._config, account_id=BOT_ID,
                                   created_at=now, updated_at=now,
                                   realised_pnl=self._books.realised)  # fmt: skip

    def _free(self) -> Decimal:
        """The account's cash beside what the position was entered with."""
        held = self._position
        bound = held.entry_value + held.fees if held else ZERO
        return self._terms.cash + self._books.realised - bound

    def _open_price(self, place: int) -> Decimal:
        return exact(float(self._bars.open[place]))

    def _capped(self, quantity: Decimal, place: int) -> Decimal:
        cap = self._terms.volume_cap
        if cap is None:
            return quantity
        volume = exact(float(self._bars.volume[place]))
        return capped(quantity, volume, cap, self._instrument.quantity_step)

    def _taken(self, side: Side, price: Decimal) -> Decimal:
        """What a taker gets: half the spread and the slippage against it, on the tick."""
        if self._half_spread:
            half = self._half_spread / BPS
            price *= ONE + half if side is Side.BUY else ONE - half
        return with_slippage(side, price, self._terms.slippage_bps, self._instrument.price_tick)


def _opened(fill: Fill, side: PositionSide) -> Position:
    """``ledger.opened_position`` of a fill that nothing needs to check."""
    return Position.model_construct(
        id=fill.position_id, bot_id=BOT_ID, account_id=BOT_ID, symbol=fill.symbol, side=side,
        best_price=fill.price, opened_at=fill.time, watched_until=fill.time,
    )  # fmt: skip


def _sizes(leg: Leg) -> FloatArray:
    return np.empty(0) if leg.signals.size is None else leg.on_bars(leg.signals.size)
