"""Outcomes are written once a horizon is over, from candles and trades, and never made up."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

from engine.domain.advice import Advice, AdviceOutcome, AiConfig, AiRole, Counsel, CounselVerdict
from engine.domain.sessions import Session, Timetable
from engine.errors import AccessDenied, DataError
from engine.services.track_advice import RETRIES, AdviceTracker
from tests.fakes.advisor import STAY, buy, close
from tests.fakes.broker import Fault
from tests.fakes.market import FakeMarket
from tests.support.model_desk import NOTHING, OUT, WHOLE, Desk, model_desk

Opener = Callable[..., Desk]


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[Opener]:
    """Opens a desk whose bot has the given settings and whose model looks five minutes ahead."""
    with ExitStack() as stack:

        def opened(ai: AiConfig | None = None, **changes: Any) -> Desk:
            desk = stack.enter_context(model_desk(tmp_path, ai, **changes))
            desk.advisor.horizon_minutes = 5
            broker = desk.room.broker
            broker.capabilities = broker.capabilities.model_copy(update={"fee_bps": D(0)})
            return desk

        yield opened


def tracker(desk: Desk) -> AdviceTracker:
    """A tracker over the desk's books."""
    return AdviceTracker(desk.room.books, desk.room.venues, desk.lanes)


def track(desk: Desk, one: AdviceTracker | None = None) -> Advice:
    """Write what has come due; the newest advice then."""

    async def run() -> None:
        tracking = one or tracker(desk)
        await tracking.begin_due()
        await tracking.finish(10)

    asyncio.run(run())
    return desk.advice()[-1]


def outcome(desk: Desk) -> AdviceOutcome:
    """The newest advice's outcome."""
    found = track(desk).outcome
    assert found is not None
    return found


def bars(desk: Desk, *closes: float) -> None:
    """Minutes pass."""
    for price in closes:
        desk.bar(price)


def test_nothing_is_written_before_the_horizon_is_over(open_desk: Opener) -> None:
    desk = open_desk()
    desk.run(WHOLE)
    bars(desk, 101, 102, 103, 104)
    assert track(desk).outcome is None
    bars(desk, 105)
    assert outcome(desk).move == pytest.approx(0.05)


def test_a_vetoed_entry_is_worth_what_its_own_exits_would_have_made(open_desk: Opener) -> None:
    desk = open_desk()
    desk.advisor.counsels.append(STAY)
    desk.run(WHOLE)
    bars(desk, 99, 97.5, 101, 103, 106)
    found = track(desk)
    assert found.outcome is not None
    assert found.outcome.move == pytest.approx(0.06)
    assert (found.outcome.is_right, found.outcome.is_hypothetical) == (False, True)
    assert found.outcome.value == D("-2.5"), "the gap is filled at the open"
    assert found.outcome.detail == "closed at 97.5 by stop_loss"
    assert found.outcome_due_at is None
    assert track(desk) == found, "written once"


def test_of_a_reduced_entry_the_part_counts_that_was_held_back(open_desk: Opener) -> None:
    desk = open_desk()
    desk.advisor.counsels.append(
        Counsel(verdict=CounselVerdict.REDUCE, reason="less", size=0.25, confidence=0.8)
    )
    desk.run(WHOLE)
    bars(desk, 101, 101, 101, 102, 104)
    found = outcome(desk)
    assert (found.value, found.is_right, found.is_hypothetical) == (D(3), True, True)
    assert found.detail == "75% of it was held back; closed at 104 by horizon"


def test_an_entry_that_passed_is_worth_its_trade_once_that_is_closed(open_desk: Opener) -> None:
    desk = open_desk()
    desk.run(WHOLE)
    bars(desk, 101, 101, 101, 101, 102)
    open_ = track(desk)
    assert open_.outcome is not None
    assert (open_.outcome.is_right, open_.outcome.value) == (True, None)
    assert open_.outcome_due_at == desk.room.clock.now() + timedelta(minutes=1)
    desk.bar(103)
    asyncio.run(desk.wait(OUT))
    found = track(desk)
    [trade] = desk.room.trades()
    assert found.outcome is not None
    assert (found.outcome.value, found.outcome.is_hypothetical) == (trade.pnl, False)
    assert trade.pnl == D(3)
    assert found.outcome_due_at is None


def test_two_entries_of_one_trade_share_what_it_made(open_desk: Opener) -> None:
    desk = open_desk(max_entries=2, amount=D(100))
    desk.run(WHOLE, WHOLE, OUT)
    bars(desk, *[100.0] * 6)
    track(desk)
    values = [one.outcome.value for one in desk.advice() if one.outcome and one.outcome.value]
    [trade] = desk.room.trades()
    assert sum(values, D(0)) == trade.pnl


def test_an_entry_that_came_to_nothing_says_why(open_desk: Opener) -> None:
    desk = open_desk()
    desk.room.broker.faults.append(Fault.REJECTED)
    desk.run(WHOLE)
    bars(desk, *[101.0] * 5)
    found = outcome(desk)
    assert found.value is None
    assert found.detail == "its order was rejected: the venue does not like it"


def test_missing_candles_are_asked_for_again_and_never_made_up(open_desk: Opener) -> None:
    desk = open_desk()
    desk.advisor.counsels.append(STAY)
    desk.run(WHOLE)
    desk.room.clock.advance(600)  # no candle closes
    for wait in RETRIES:
        found = track(desk)
        assert found.outcome is None
        assert found.outcome_due_at == desk.room.clock.now() + wait
        desk.room.clock.advance(wait.total_seconds())
    found = track(desk)
    assert found.outcome == AdviceOutcome(detail=found.outcome.detail if found.outcome else "")
    assert found.outcome is not None
    assert found.outcome.detail.startswith("its outcome is not known: the 1m candles until")
    assert found.outcome_due_at is None


def test_a_market_that_does_not_answer_is_asked_again(open_desk: Opener) -> None:
    desk = open_desk()
    desk.advisor.counsels.append(STAY)
    desk.run(WHOLE)
    bars(desk, *[101.0] * 6)
    market = desk.room.market
    assert isinstance(market, FakeMarket)
    market.failure = DataError("The exchange does not answer.")
    assert track(desk).outcome is None
    market.failure = None
    desk.room.clock.advance(60)
    found = outcome(desk)
    assert found.move == pytest.approx(0.01), "of its own horizon, not of the time since"


@pytest.mark.parametrize(
    ("error", "words"),
    [(AccessDenied("The key is not accepted."), "The key is not accepted."),
     (RuntimeError("a bug"), "RuntimeError, see the log")],
)  # fmt: skip
def test_what_goes_wrong_with_one_keeps_no_other_from_its_outcome(
    open_desk: Opener, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str
) -> None:
    desk = open_desk()
    desk.advisor.counsels.extend([STAY, STAY])
    desk.run(WHOLE, WHOLE)
    bars(desk, *[101.0] * 5)
    one, first = tracker(desk), desk.advice()[0]
    judge = one._judged

    def fail(row: Advice, *others: Any) -> Any:
        if row.id == first.id:
            raise error
        return judge(row, *others)

    monkeypatch.setattr(one, "_judged", fail)
    assert track(desk, one).outcome is not None
    for wait in RETRIES:
        assert desk.advice()[0].outcome is None
        desk.room.clock.advance(wait.total_seconds())
        track(desk, one)
    found = desk.advice()[0].outcome
    assert found is not None
    assert found.detail == f"its outcome is not known: {words}"


def test_a_horizon_that_ends_while_the_market_is_closed(open_desk: Opener) -> None:
    desk = open_desk()
    desk.advisor.counsels.append(STAY)
    desk.run(WHOLE)
    bars(desk, 101, 102)
    closes = desk.room.clock.now()
    desk.room.clock.advance(600)
    hours = Timetable("XTST", sessions=(Session(closes - timedelta(hours=6), closes),))
    one = AdviceTracker(
        desk.room.books, desk.room.venues, desk.lanes, lambda _market, _symbol: hours
    )
    found = track(desk, one).outcome
    assert found is not None
    assert found.move == pytest.approx(0.02)


def test_a_deciders_hold_is_right_while_the_market_is_quiet(open_desk: Opener) -> None:
    desk = open_desk(AiConfig(role=AiRole.DECIDER))
    desk.run(NOTHING)
    bars(desk, *[100.0] * 5)
    found = outcome(desk)
    assert (found.is_right, found.value) == (True, None)
    assert found.detail == "quiet is up to 0.00%"


def test_a_deciders_close_is_judged_by_what_it_held(open_desk: Opener) -> None:
    desk = open_desk(AiConfig(role=AiRole.DECIDER))
    desk.advisor.choices.extend([buy(), close()])
    desk.run(NOTHING, NOTHING)
    bars(desk, 99, 99, 98, 98, 97)
    found = outcome(desk)
    assert (found.is_right, found.move) == (True, pytest.approx(0.03))


def test_a_bot_that_was_deleted_has_no_exits(open_desk: Opener) -> None:
    desk = open_desk()
    desk.advisor.counsels.append(STAY)
    desk.run(WHOLE)
    with desk.room.books.writing() as writing:
        writing.delete_bot(desk.room.bot.id)
    bars_market = desk.room.market
    assert isinstance(bars_market, FakeMarket)
    for _ in range(5):
        bars_market.add_bar("BTC/USDT", 100, 101, 100, 101)
    found = outcome(desk)
    assert (found.is_right, found.value) == (False, None)
    assert found.detail == "its bot was deleted: its exits are not known"


def test_a_row_that_was_changed_meanwhile_keeps_its_change(open_desk: Opener) -> None:
    """A late answer's cost is added while the outcome is looked up."""
    desk = open_desk()
    desk.advisor.counsels.append(STAY)
    desk.run(WHOLE)
    bars(desk, *[101.0] * 5)
    [stale] = desk.advice()
    with desk.room.store.transaction() as tx:
        tx.advice.save(stale.model_copy(update={"tokens_in": 77, "facts": {"is_sent": True}}))
    tracker(desk).settle(stale)
    [found] = desk.advice()
    assert (found.tokens_in, found.facts["is_sent"]) == (77, True)
    assert found.outcome is not None
    with desk.room.store.transaction() as tx:
        tx.advice.delete(stale.id)
    tracker(desk).settle(stale)
    assert not desk.advice()


def test_a_market_that_is_still_busy_is_passed_over(
    open_desk: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = open_desk()
    desk.advisor.counsels.append(STAY)
    desk.run(WHOLE)
    bars(desk, *[101.0] * 5)
    one = tracker(desk)
    settled: list[str] = []
    monkeypatch.setattr(one, "settle", lambda row: settled.append(row.id))

    async def run() -> None:
        await asyncio.gather(one.begin_due(), one.begin_due())
        await one.finish(10)

    asyncio.run(run())
    assert len(settled) == 1
