"""What answers came to: moves, right and wrong, and what held-back entries would have made."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal as D
from typing import Any

import numpy as np
import pytest

from engine.domain.advice import (
    Advice,
    AdvicePurpose,
    AdviceState,
    AiRole,
    Counsel,
    CounselVerdict,
    EntryProposal,
    ModelAction,
)
from engine.domain.advice_outcomes import (
    MEDIAN_DISTANCE,
    bars_for,
    entrys_share,
    held_back_share,
    judge_move,
    quiet_band,
    window_of,
    would_have_made,
)
from engine.domain.bots import ExitRules
from engine.domain.candles import Candles
from engine.domain.money import to_epoch_ms
from engine.domain.positions import PositionSide, Trade
from tests.contract.store_samples import trade
from tests.fakes.advisor import GO, STAY, answer
from tests.fakes.clock import START
from tests.unit.samples import instrument

MINUTE = timedelta(minutes=1)
NO_RULES = ExitRules(stop_loss=None, take_profit=None)


def candles(closes: Sequence[float], since: datetime = START, **others: Any) -> Candles:
    """Minutes that open at the close before; ``lows`` and ``highs`` stand in for their own."""
    close = np.array(closes, dtype=np.float64)
    opened = np.r_[close[:1], close[:-1]]
    low = np.array(others.get("lows", np.minimum(opened, close)), dtype=np.float64)
    high = np.array(others.get("highs", np.maximum(opened, close)), dtype=np.float64)
    time = to_epoch_ms(since) + 60_000 * np.arange(len(close), dtype=np.int64)
    return Candles("1m", time, opened, high, low, close, np.ones(len(close)))


def row(**changes: Any) -> Advice:
    """A decider's answer at a price of 100; change what matters by keyword."""
    fields: dict[str, Any] = {
        "id": "a1", "bot_id": "b1", "bot_name": "demo", "role": AiRole.DECIDER,
        "purpose": AdvicePurpose.DECIDE, "state": AdviceState.ANSWERED, "provider": "fake",
        "model": "fake-1", "market": "fake", "symbol": "BTC/USDT", "timeframe": "1m",
        "candle_time": START, "asked_at": START, "price": D(100), "prompt": "…",
        "decision": answer(),
    }  # fmt: skip
    return Advice(**(fields | changes))


def entry(side: PositionSide = PositionSide.LONG, **changes: Any) -> EntryProposal:
    """100 USDT at a price of 100."""
    return EntryProposal(side=side, amount=D(100), price=D(100), **changes)


# --- right and wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "held", "end", "move", "is_right"),
    [
        (ModelAction.BUY, None, 102.0, 0.02, True),
        (ModelAction.BUY, None, 98.0, -0.02, False),
        (ModelAction.BUY, None, 100.0, 0.0, False),
        (ModelAction.SELL, None, 98.0, 0.02, True),
        (ModelAction.SELL, PositionSide.LONG, 102.0, -0.02, False),
        (ModelAction.CLOSE, PositionSide.LONG, 98.0, 0.02, True),
        (ModelAction.CLOSE, PositionSide.LONG, 102.0, -0.02, False),
        (ModelAction.CLOSE, PositionSide.SHORT, 102.0, 0.02, True),
        (ModelAction.HOLD, None, 100.9, 0.009, True),
        (ModelAction.HOLD, None, 98.9, -0.011, False),
        (ModelAction.CLOSE, None, 100.5, 0.005, True),
    ],
)
def test_a_deciders_answer(
    action: ModelAction, held: PositionSide | None, end: float, move: float, is_right: bool
) -> None:
    judged = judge_move(row(decision=answer(action)), end, held, band=0.01)
    assert judged.move == pytest.approx(move)
    assert judged.is_right is is_right


@pytest.mark.parametrize(
    ("side", "action", "end", "move", "is_right"),
    [
        (PositionSide.LONG, ModelAction.BUY, 102.0, 0.02, True),
        (PositionSide.LONG, ModelAction.BUY, 98.0, -0.02, False),
        (PositionSide.LONG, ModelAction.HOLD, 98.0, -0.02, True),
        (PositionSide.LONG, ModelAction.SELL, 102.0, 0.02, False),
        (PositionSide.SHORT, ModelAction.SELL, 98.0, 0.02, True),
        (PositionSide.SHORT, ModelAction.BUY, 98.0, 0.02, False),
        (PositionSide.SHORT, ModelAction.HOLD, 100.0, 0.0, True),
    ],
)
def test_an_advisors_answer_is_right_when_it_agreed_with_what_paid(
    side: PositionSide, action: ModelAction, end: float, move: float, is_right: bool
) -> None:
    judged = judge_move(row(decision=answer(action), proposal=entry(side)), end, None, band=None)
    assert judged.move == pytest.approx(move)
    assert judged.is_right is is_right


def test_without_an_answer_there_is_a_move_and_nothing_right() -> None:
    judged = judge_move(row(decision=None, proposal=entry()), 101.0, None, None)
    assert (round(judged.move, 9), judged.is_right) == (0.01, None)
    assert judged.detail == "the model gave no answer"


def test_a_quiet_market_is_told_by_the_candles_before() -> None:
    """Steps of one percent up and down: a deviation of 0.01 for each minute."""
    closes = [100 * np.exp(0.01 * (n % 2)) for n in range(101)]
    deviation = 0.01 * (100 / 99) ** 0.5
    band = quiet_band(candles(closes), timedelta(minutes=16), fees=0.002)
    assert band == pytest.approx(MEDIAN_DISTANCE * deviation * 4)
    assert pytest.approx(0.67449, abs=1e-5) == MEDIAN_DISTANCE
    assert quiet_band(candles([100.0] * 101), MINUTE, fees=0.002) == 0.002
    assert quiet_band(candles(closes[:20]), MINUTE, fees=0.002) is None


def test_without_a_band_a_hold_is_neither_right_nor_wrong() -> None:
    judged = judge_move(row(decision=answer(ModelAction.HOLD)), 101.0, None, None)
    assert judged.is_right is None
    assert "too few candles" in judged.detail


# --- windows ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "minutes", "chosen"),
    [
        ("15m", 60, "1m"),
        ("15m", 480, "15m"),
        ("1m", 60, "1m"),
        ("1d", 1, "1m"),
        ("1m", 60 * 24 * 30, "1h"),
        ("1m", 525_600, "1d"),
    ],
)
def test_a_horizon_is_looked_at_by_fitting_candles(own: str, minutes: int, chosen: str) -> None:
    offered = ["1m", "5m", "15m", "1h", "1d"]
    assert bars_for(offered, own, timedelta(minutes=minutes)) == chosen


def test_a_market_with_long_candles_alone() -> None:
    assert bars_for(["1d"], "1d", timedelta(minutes=30)) == "1d"
    assert bars_for(["1m"], "1m", timedelta(days=365)) == "1m"


def test_a_window_is_cut_at_the_question_and_at_the_horizon() -> None:
    asked = START + timedelta(minutes=3, seconds=30)
    window = window_of(candles([100.0 + n for n in range(10)]), asked, asked + 4 * MINUTE)
    assert len(window.before) == 3
    assert [bar.close for bar in window.after.bars()] == [104.0, 105.0, 106.0]
    assert window.end_price == 106.0, "the last close by 12:07:30"


def test_a_horizon_within_a_candle_ends_with_that_candle() -> None:
    asked = START + timedelta(minutes=3, seconds=10)
    window = window_of(candles([100.0 + n for n in range(10)]), asked, asked + MINUTE / 2)
    assert (len(window.after), window.end_price) == (0, 103.0)
    early = window_of(candles([100.0] * 3), asked, asked + MINUTE / 2)
    assert early.end_price is None, "it has not closed yet"


def test_missing_candles_are_no_price() -> None:
    asked, known = START + 3 * MINUTE, candles([100.0] * 6)
    window = window_of(known, asked, START + 9 * MINUTE)
    assert window.end_price is None
    assert window.detail == "the 1m candles until 2026-03-02 12:09 UTC are missing"
    closed = window_of(known, asked, START + 9 * MINUTE, was_open=False)
    assert closed.end_price == 100.0, "the last price before the market closed"


def test_where_nothing_traded_a_later_candle_proves_it() -> None:
    asked, full = START + 3 * MINUTE, candles([100.0 + n for n in range(14)])
    keep = np.array([n < 6 or n > 11 for n in range(14)])
    gappy = Candles("1m", *(getattr(full, name)[keep] for name in
                            ("time", "open", "high", "low", "close", "volume")))  # fmt: skip
    end = START + 9 * MINUTE
    assert window_of(gappy, asked, end).end_price is None
    assert window_of(gappy, asked, end, may_be_sparse=True).end_price == 105.0
    assert window_of(gappy[slice(0, 6)], asked, end, may_be_sparse=True).end_price is None


# --- value --------------------------------------------------------------------------------------


def made(closes: Sequence[float], proposal: EntryProposal, rules: ExitRules = NO_RULES,
         fee_bps: str = "0", **others: Any) -> tuple[D, str, D]:  # fmt: skip
    """Value, reason and price of an entry over candles."""
    after = candles(closes, **others)
    found = would_have_made(proposal, rules, instrument(), after, closes[-1], D(fee_bps))
    assert found is not None
    return found.value, found.exit_reason, found.exit_price


def test_a_held_back_entry_ends_with_the_horizon() -> None:
    assert made([100, 101, 103], entry()) == (D(3), "horizon", D(103))
    assert made([100, 101, 103], entry(PositionSide.SHORT)) == (D(-3), "horizon", D(103))


def test_it_leaves_by_its_own_levels_the_stop_first() -> None:
    levels: dict[str, Any] = {"stop_price": D(98), "target_price": D(105)}
    assert made([100, 99, 106], entry(**levels)) == (D(5), "take_profit", D(105))
    both = made([100, 100, 100], entry(**levels), lows=[100, 97, 100], highs=[100, 106, 100])
    assert both == (D(-2), "stop_loss", D(98))
    gap = made([100, 96], entry(**levels), lows=[100, 95], highs=[100, 96])
    assert gap[1:] == ("stop_loss", D(98)), "it opened above and fell through"


def test_it_leaves_by_the_bots_other_exits() -> None:
    trailing = NO_RULES.model_copy(update={"trailing_stop": D("0.05")})
    assert made([100, 110, 104], entry(), trailing) == (D("4.5"), "trailing_stop", D("104.5"))
    timed = NO_RULES.model_copy(update={"time_limit_s": 120})
    assert made([100, 101, 102, 103], entry(), timed)[1:] == ("time_limit", D(101))


def test_fees_are_paid_on_both_sides() -> None:
    """One percent: 100 USDT buy 0.99009 BTC at 100; sold at 110 that is 8.82."""
    value, _, _ = made([100, 110], entry(), fee_bps="100")
    quantity = D("0.99009")
    assert value == quantity * 10 - quantity * 210 * D("0.01")


def test_an_amount_that_buys_nothing_has_no_value() -> None:
    tiny = EntryProposal(side=PositionSide.LONG, amount=D("0.0001"), price=D(100))
    assert would_have_made(tiny, NO_RULES, instrument(), candles([100]), 100, D(0)) is None


def test_how_much_was_held_back() -> None:
    reduced = Counsel(verdict=CounselVerdict.REDUCE, reason="less", size=0.25)
    asked = {"purpose": AdvicePurpose.REVIEW, "proposal": entry()}
    assert held_back_share(row(**asked, counsel=STAY)) == 1
    assert held_back_share(row(**asked, counsel=reduced)) == D("0.75")
    assert held_back_share(row(**asked, counsel=GO)) == 0
    assert held_back_share(row(counsel=STAY)) == 0, "a decider holds back its own"


def test_entries_share_a_trade_to_the_last_digit() -> None:
    both: Trade = trade(quantity=D(3), entry_value=D(310), exit_value=D(360), fees=D(3),
                        pnl=D(47), entry_count=2)  # fmt: skip
    first, second = entrys_share(both, D(1), D(100)), entrys_share(both, D(2), D(210))
    assert (first, second) == (D(19), D(28))
    assert first + second == both.pnl
    assert entrys_share(both, D(3), D(310)) == both.pnl
    short = both.model_copy(update={"side": PositionSide.SHORT, "pnl": D(-53)})
    assert entrys_share(short, D(1), D(100)) + entrys_share(short, D(2), D(210)) == short.pnl
