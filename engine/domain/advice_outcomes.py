"""What a model's answers came to: which way the price went, and what a held-back entry would have
made. Pure, from candles that have closed since.

An answer is right when the price moved its way between the question and the end of its horizon: up
for buy, down for sell, against what was held for close. Of an advisor it is asked whether it agreed
with the entry and whether the entry's side moved: a refusal is right when it did not. ``hold`` is
right when the price stayed within a band: the median distance of a random walk with the volatility
of the candles before, or a round trip's fees where those are more. So guessing earns one half with
every answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import NormalDist

import numpy as np

from engine.domain.advice import Advice, AdvicePurpose, EntryProposal, ModelAction
from engine.domain.bots import ExitRules
from engine.domain.candles import Bar, Candles
from engine.domain.exits import better_price, find_exit, price_bar
from engine.domain.instruments import Instrument
from engine.domain.money import ONE, ZERO, exact, from_epoch_ms, to_epoch_ms
from engine.domain.positions import Position, PositionSide, Trade
from engine.domain.sizing import BPS, affordable_quantity
from engine.domain.timeframes import timeframe_delta, timeframe_s

FEWEST_BARS, MOST_BARS = 20, 1_000
"""How many candles a horizon is looked at by, where the market offers such."""

BARS_BEFORE = 100
"""Candles before the question, for the volatility."""

MEDIAN_DISTANCE = NormalDist().inv_cdf(0.75)
"""Of a normal variable from its mean, in standard deviations: half of all are nearer."""

AGREES = {PositionSide.LONG: ModelAction.BUY, PositionSide.SHORT: ModelAction.SELL}
SIGNS = {PositionSide.LONG: 1, PositionSide.SHORT: -1}


@dataclass(frozen=True)
class Window:
    """The candles of a horizon: those ``before`` the question, those ``after`` it, and the price at
    its end (None: not known, and ``detail`` says why)."""

    before: Candles
    after: Candles
    end_price: float | None
    detail: str = ""


@dataclass(frozen=True)
class Judged:
    """A move (a fraction of the price, in the answer's direction) and whether the answer was right;
    None where that cannot be said."""

    move: float
    is_right: bool | None
    detail: str = ""


@dataclass(frozen=True)
class WouldBe:
    """What an entry would have made, in quote, fees included, and how it would have ended."""

    value: Decimal
    exit_reason: str
    exit_price: Decimal


def bars_for(timeframes: Sequence[str], own: str, horizon: timedelta) -> str:
    """The timeframe to look at a horizon by: the bot's ``own``, a shorter one where the horizon is
    short, a longer one where it is very long. ``timeframes`` are those offered."""
    shortest = horizon.total_seconds() / MOST_BARS
    longest = max(horizon.total_seconds() / FEWEST_BARS, shortest)
    wanted = min(max(timeframe_s(own), shortest), longest)
    lengths = sorted(timeframes, key=timeframe_s)
    fitting = [one for one in lengths if shortest <= timeframe_s(one) <= wanted]
    longer = [one for one in lengths if timeframe_s(one) >= shortest]
    return fitting[-1] if fitting else longer[0] if longer else lengths[-1]


def window_of(
    candles: Candles,
    asked_at: datetime,
    end: datetime,
    *,
    was_open: bool = True,
    may_be_sparse: bool = False,
) -> Window:
    """Cut candles at the question and at the horizon's end.

    The price at the end is the last close by then, where no candle is missing in between: because
    the next one had not closed, the market was not open, or (``may_be_sparse``) nothing traded,
    which a later candle proves. For a horizon shorter than a candle it is the first close after.
    """
    length = timeframe_delta(candles.timeframe)
    opens, closes = candles.time, candles.time + timeframe_s(candles.timeframe) * 1000
    asked, until = to_epoch_ms(asked_at), to_epoch_ms(end)
    before = candles[slice(0, int((closes <= asked).sum()))]
    after = candles[slice(int((opens < asked).sum()), int((closes <= until).sum()))]
    within = np.flatnonzero((closes > asked) & (closes <= until))
    following = np.flatnonzero(closes > until)
    if len(within):
        last = int(within[-1])
        is_near = end - from_epoch_ms(int(closes[last])) < length
        if is_near or not was_open or (may_be_sparse and len(following)):
            return Window(before, after, float(candles.close[last]))
    elif end - asked_at < length and len(following):
        return Window(before, after, float(candles.close[int(following[0])]))
    words = f"the {candles.timeframe} candles until {end:%Y-%m-%d %H:%M} UTC are missing"
    return Window(before, after, None, words)


def quiet_band(before: Candles, horizon: timedelta, fees: float) -> float | None:
    """The move within which ``hold`` is right, as a fraction: the median distance that a random
    walk goes within the horizon, or ``fees`` (of a round trip) where those are more. None when too
    few candles tell the volatility."""
    closes = before.close[-(BARS_BEFORE + 1) :]
    if len(closes) <= FEWEST_BARS:
        return None
    deviation = float(np.std(np.diff(np.log(closes)), ddof=1))
    steps = horizon.total_seconds() / timeframe_s(before.timeframe)
    return max(MEDIAN_DISTANCE * deviation * float(steps**0.5), fees)


def judge_move(
    advice: Advice, end_price: float, held: PositionSide | None, band: float | None
) -> Judged:
    """Which way the price went, and whether the answer was right. ``held`` is what the bot had when
    it asked. Without an answer only the move is known."""
    change = end_price / float(advice.price) - 1
    if advice.proposal is not None:
        side = advice.proposal.side
        move = SIGNS[side] * change
        if advice.decision is None:
            return Judged(move, None, "the model gave no answer")
        return Judged(move, (advice.decision.action is AGREES[side]) == (move > 0))
    action = advice.decision.action if advice.decision else None
    if action is ModelAction.BUY:
        return Judged(change, change > 0)
    if action is ModelAction.SELL:
        return Judged(-change, change < 0)
    if action is ModelAction.CLOSE and held is not None:
        return Judged(-SIGNS[held] * change, SIGNS[held] * change < 0)
    if band is None:
        return Judged(change, None, "too few candles before it to say what a quiet market is")
    return Judged(change, abs(change) <= band, f"quiet is up to {band:.2%}")


def would_have_made(
    proposal: EntryProposal,
    rules: ExitRules,
    instrument: Instrument,
    after: Candles,
    end_price: float,
    fee_bps: Decimal,
) -> WouldBe | None:
    """Enter at the proposal's price, leave by the bot's own exits (``domain.exits``: gaps at the
    open, the stop before the target), or at the horizon's end. Fees on both sides. None when the
    amount buys nothing."""
    quantity = affordable_quantity(proposal.amount, proposal.price, fee_bps, instrument)
    if quantity <= 0:
        return None
    position = _position(proposal, instrument, quantity, after)
    reason, price = "horizon", exact(end_price)
    for bar in after.bars():
        trigger = find_exit(position, rules, instrument, price_bar(bar))
        if trigger is not None:
            reason, price = trigger.reason, trigger.price
            break
        position = _followed(position, rules, bar)
    gain = SIGNS[proposal.side] * (price - proposal.price) * quantity
    fees = fee_bps / BPS * (price + proposal.price) * quantity
    return WouldBe(gain - fees, reason, price)


def held_back_share(advice: Advice) -> Decimal:
    """How much of an advisor's entry was held back: 1 of a vetoed one, 0 of one that passed."""
    if advice.purpose is not AdvicePurpose.REVIEW or advice.counsel is None:
        return ZERO
    if advice.verdict == "veto":
        return ONE
    return ONE - exact(advice.counsel.size)


def _position(
    proposal: EntryProposal, instrument: Instrument, quantity: Decimal, after: Candles
) -> Position:
    opened = from_epoch_ms(int(after.time[0])) if len(after) else from_epoch_ms(0)
    return Position(
        id="would-be", bot_id="", account_id="", symbol=instrument.symbol, side=proposal.side,
        quantity=quantity, entry_quantity=quantity, entry_value=quantity * proposal.price,
        entry_count=1, best_price=proposal.price, stop_price=proposal.stop_price,
        target_price=proposal.target_price, opened_at=opened, watched_until=opened,
    )  # fmt: skip


def _followed(position: Position, rules: ExitRules, bar: Bar) -> Position:
    """The position after a bar that it outlived."""
    if rules.trailing_stop is None:
        return position
    best = better_price(position, price_bar(bar))
    return position.model_copy(update={"best_price": best})


def entrys_share(trade: Trade, quantity: Decimal, value: Decimal) -> Decimal:
    """What one of the entries of a trade made, in quote: of its own ``quantity``, that was opened
    for ``value``; exits, fees and funding are shared by quantity. The trade's own pnl for an only
    entry."""
    if quantity == trade.quantity:
        return trade.pnl
    share = quantity / trade.quantity
    return SIGNS[trade.side] * (trade.exit_value * share - value) + share * (
        trade.funding - trade.fees
    )
