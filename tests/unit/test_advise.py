"""The advisor: one row for each question, deadlines, money, pauses, and nothing ever raised."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from engine.domain.advice import (
    Advice,
    AdvicePurpose,
    AdviceState,
    AiConfig,
    CounselVerdict,
)
from engine.domain.candles import empty_candles
from engine.domain.records import Level
from engine.errors import (
    ConfigError,
    ModelRateLimited,
    ModelUnavailable,
    NotFound,
    StoreError,
)
from engine.ports.ai import Question, Reply
from engine.services.ask_model import LANE, MOST_CALLS
from tests.fakes.model import ScriptedModel
from tests.fakes.model_server import answer
from tests.support.advising import NO_MODEL, Bench, bench, news, proposal, situation
from tests.unit.samples import position

D = Decimal
R = TypeVar("R")
COST = D("0.00055")
"""Of 1,000 tokens in and 100 out."""

QUICK = AiConfig(deadline_s=1.0)
PATIENCE_S = 60.0


def run(work: Coroutine[Any, Any, R]) -> R:
    return asyncio.run(asyncio.wait_for(work, PATIENCE_S))


async def until(has_come: Callable[[], bool]) -> None:
    while not has_come():  # noqa: ASYNC110 - threads bring it about
        await asyncio.sleep(0.005)


def review(room: Bench, **changes: Any) -> Any:
    room.clock.advance(0.001)  # rows are in the order of their time
    return run(room.advisor.review(situation(**changes), proposal()))


def last(room: Bench) -> Advice:
    return room.rows()[-1]


def test_an_answer_is_judged_and_kept_with_all_that_belongs_to_it() -> None:
    model = ScriptedModel(answer(size=0.5, stop=99))
    room = bench(model)
    counsel = review(room, news=(news("Up it goes"),))
    assert (counsel.verdict, counsel.size, counsel.stop_price) == ("reduce", 0.5, D(99))
    row = last(room)
    assert (row.state, row.purpose, row.counsel) == ("answered", "review", counsel)
    assert counsel.advice_id == row.id
    assert (row.tokens_in, row.tokens_out, row.cost) == (1_000, 100, COST)
    assert row.decision is not None
    assert row.decision.size == 0.5
    assert (row.decision_id, row.proposal, row.model) == ("d1", proposal(), "fake-1")
    assert row.outcome_due_at == row.asked_at + timedelta(minutes=60)
    assert row.facts == {"news": 1, "is_sent": True}
    [question] = model.questions
    assert (question.system, question.prompt) == (row.system, row.prompt)
    assert "Up it goes" in row.prompt


def test_a_decider_gets_an_intent_with_its_counsel() -> None:
    room = bench(ScriptedModel(answer(size=0.25)))
    choice = run(room.advisor.decide(situation()))
    assert choice.intent.enter_long
    assert choice.counsel.size == 0.25
    assert last(room).counsel == choice.counsel
    assert last(room).purpose is AdvicePurpose.DECIDE


def test_a_model_of_the_bots_own_is_asked() -> None:
    model = ScriptedModel()
    review(bench(model), ai=AiConfig(model="other-2"))
    assert model.questions[0].model == "other-2"


FAILURES: list[tuple[Any, AdviceState, str]] = [
    ("Buy! Buy!", AdviceState.INVALID, "not JSON"),
    (Reply("", 900, 0, "It blocked the question."), AdviceState.INVALID, "blocked"),
    (ModelUnavailable("It is down (503)."), AdviceState.UNAVAILABLE, "503"),
    (ModelRateLimited("Slow down.", retry_after_s=30), AdviceState.RATE_LIMITED, "Slow down"),
    (ConfigError("Set another key."), AdviceState.UNAVAILABLE, "another key"),
    (TypeError("a bug of an SDK"), AdviceState.UNAVAILABLE, "client failed (TypeError)"),
    (RecursionError("deep"), AdviceState.UNAVAILABLE, "RecursionError"),
]


@pytest.mark.parametrize(("said", "state", "words"), FAILURES)
def test_what_goes_wrong_holds_the_entry_back_and_is_one_row(
    said: Any, state: AdviceState, words: str
) -> None:
    model = ScriptedModel()
    model.script = [said, said]
    room = bench(model)
    counsel = review(room)
    assert counsel.verdict is CounselVerdict.VETO
    assert words in counsel.reason
    [row] = room.rows()
    assert (row.state, row.decision, row.counsel) == (state, None, counsel)
    assert words in row.error
    assert row.prompt
    assert row.outcome_due_at, "what was held back is looked at all the same"
    room.clock.advance(3600)
    choice = run(room.advisor.decide(situation(position=position())))
    assert not choice.intent.wants_something
    assert last(room).state is state


def test_without_a_model_it_is_said_where_to_set_it() -> None:
    room = bench(None)
    assert review(room).reason == NO_MODEL
    assert last(room).state is AdviceState.UNAVAILABLE
    assert last(room).facts == {"news": 0, "is_sent": False}
    status = room.advisor.status()
    assert (status.is_configured, status.objection) == (False, NO_MODEL)


def test_what_nobody_foresaw_holds_back_too_and_is_a_row() -> None:
    room = bench(ScriptedModel())
    counsel = run(room.advisor.review(situation(), proposal(price=D(0))))
    assert counsel.verdict is CounselVerdict.PASS, "no level was asked for"
    bad = ScriptedModel(answer(stop=99))
    room = bench(bad)
    counsel = run(room.advisor.review(situation(), proposal(price=D(0))))
    assert counsel.verdict is CounselVerdict.VETO
    assert "see the log" in counsel.reason
    assert (last(room).state, last(room).cost) == (AdviceState.UNAVAILABLE, COST)
    assert last(room).answer == bad.text
    assert review(room, candles=empty_candles("1m")).verdict is CounselVerdict.PASS


# --- deadlines ----------------------------------------------------------------------------------


def test_a_hung_model_is_late_at_once_and_its_bill_comes_after() -> None:
    async def play() -> None:
        counsel = await room.advisor.review(situation(ai=QUICK), proposal())
        assert counsel.verdict is CounselVerdict.VETO
        assert "within 1 s" in counsel.reason
        row = last(room)
        assert (row.state, row.cost, row.facts["is_sent"]) == ("late", 0, True)
        with room.store.transaction() as tx:
            tx.advice.save(row.model_copy(update={"facts": row.facts | {"tries": 1}}))
        model.release()
        await until(lambda: last(room).cost > 0)

    model = ScriptedModel()
    model.is_held = True
    room = bench(model)
    run(play())
    [row] = room.rows()
    assert (row.state, row.cost, row.tokens_in) == ("late", COST, 1_000)
    assert (row.decision, row.counsel is not None) == (None, True)
    assert row.facts["tries"] == 1, "others write on it, too"
    assert row.answer == model.text, "kept, and of no consequence"
    assert room.budget.used() == (COST, 1)


def test_hung_questions_hold_few_threads_and_the_others_are_told_in_time() -> None:
    async def play() -> list[Any]:
        asked = [room.advisor.review(situation(ai=QUICK), proposal()) for _ in range(12)]
        counsels = await asyncio.gather(*asked)
        model.release()
        return counsels

    model = ScriptedModel()
    model.is_held = True
    room = bench(model)
    counsels = run(play())
    assert {counsel.verdict for counsel in counsels} == {CounselVerdict.VETO}
    assert model.most_at_once == MOST_CALLS
    assert len(model.questions) == MOST_CALLS
    rows = room.rows()
    assert {row.state for row in rows} == {AdviceState.LATE}
    assert len(rows) == 12
    unsent = [row for row in rows if not row.facts["is_sent"]]
    assert len(unsent) == 12 - MOST_CALLS
    assert all("was not asked" in row.error for row in unsent)


def test_more_questions_than_places_are_answered_in_turn() -> None:
    async def play() -> list[Any]:
        asked = [room.advisor.review(situation(), proposal()) for _ in range(3 * MOST_CALLS)]
        return list(await asyncio.gather(*asked))

    model = ScriptedModel()
    room = bench(model)
    assert {counsel.verdict for counsel in run(play())} == {CounselVerdict.PASS}
    assert model.most_at_once <= MOST_CALLS


def test_a_question_whose_asker_is_gone_is_kept_all_the_same() -> None:
    async def play() -> None:
        asking = asyncio.create_task(room.advisor.review(situation(), proposal()))
        await until(lambda: bool(model.questions))
        asking.cancel()
        model.release()
        await room.advisor.finish(PATIENCE_S)

    model = ScriptedModel()
    model.is_held = True
    room = bench(model)
    run(play())
    assert last(room).state is AdviceState.ANSWERED


# --- money and limits ---------------------------------------------------------------------------


def test_over_budget_nothing_is_sent_until_midnight() -> None:
    model = ScriptedModel()
    model.tokens = (0, 400_000)  # a dollar
    room = bench(model)
    assert review(room).verdict is CounselVerdict.PASS
    counsel = review(room)
    assert "budget of 1 USD" in counsel.reason
    assert "midnight UTC" in counsel.reason
    assert last(room).state is AdviceState.OVER_BUDGET
    assert len(model.questions) == 1
    assert room.advisor.status().objection.startswith("Today's model budget is used up")
    again = room.restart(model)
    assert review(again).verdict is CounselVerdict.VETO, "a restart forgets nothing"
    room.clock.advance(12 * 3600)
    assert review(again).verdict is CounselVerdict.PASS
    assert again.budget.used() == (D(1), 1)


def test_questions_at_the_same_time_cannot_overspend() -> None:
    async def play() -> None:
        asked = [room.advisor.review(situation(), proposal()) for _ in range(10)]
        gathering = asyncio.gather(*asked)
        await until(lambda: len(room.rows()) == 9)
        model.release()
        await gathering

    model = ScriptedModel()
    model.is_held = True
    room = bench(model, budget_usd=D("0.025"))  # one question may cost 0.0205 and its prompt
    run(play())
    assert len(model.questions) == 1
    states = [row.state for row in room.rows()]
    assert states.count(AdviceState.OVER_BUDGET) == 9
    assert room.budget.used() == (COST, 1)


def test_a_model_that_costs_nothing_needs_no_budget() -> None:
    room = bench(
        ScriptedModel(), input_usd_per_million=D(0), output_usd_per_million=D(0), budget_usd=D(0)
    )
    assert review(room).verdict is CounselVerdict.PASS


def test_a_broken_call_counts_as_what_it_may_have_cost() -> None:
    model = ScriptedModel()
    model.script = [ModelUnavailable("cut", may_cost=True), ModelUnavailable("refused")]
    room = bench(model)
    review(room)
    row = last(room)
    assert row.cost > 0
    assert (row.tokens_out, row.facts["is_estimated"]) == (0, True)
    review(room)
    assert last(room).cost == 0
    assert room.budget.used() == (row.cost, 2)


def test_a_provider_that_counts_nothing_is_estimated() -> None:
    model = ScriptedModel()
    model.script = [Reply(answer(), None, None)]
    room = bench(model)
    assert review(room).verdict is CounselVerdict.PASS
    row = last(room)
    assert row.tokens_in > 100
    assert row.tokens_out > 10
    assert row.cost > 0
    assert row.facts["is_estimated"]


def test_a_count_that_is_none_gives_no_money_back() -> None:
    model = ScriptedModel()
    model.script = [Reply(answer(), -(10**9), -(10**9)), Reply(answer(), 10**15, 0)]
    room = bench(model)
    review(room)
    assert last(room).cost > 0
    review(room)
    assert last(room).tokens_in == 100_000_000
    assert last(room).cost == 30
    assert review(room).verdict is CounselVerdict.VETO


@pytest.mark.parametrize(
    ("limit", "words"),
    [("calls_per_minute", "of this minute"), ("calls_per_day", "Today's 2 model calls")],
)
def test_so_many_calls_and_no_more(limit: str, words: str) -> None:
    model = ScriptedModel()
    limits: dict[str, Any] = {limit: 2}
    room = bench(model, **limits)
    counsels = [review(room) for _ in range(3)]
    assert [counsel.verdict.value for counsel in counsels] == ["pass", "pass", "veto"]
    assert words in counsels[2].reason
    assert last(room).state is AdviceState.RATE_LIMITED
    assert len(model.questions) == 2


def test_the_providers_pause_is_kept() -> None:
    model = ScriptedModel()
    model.script = [ModelRateLimited("Slow down.", retry_after_s=30)]
    room = bench(model)
    review(room)
    until = room.clock.now() + timedelta(seconds=30)
    assert "30 s are left" in review(room).reason
    assert room.advisor.status().paused_until == until
    assert len(model.questions) == 1
    room.clock.advance(31)
    assert review(room).verdict is CounselVerdict.PASS
    assert room.advisor.status().objection == ""


# --- keeping ------------------------------------------------------------------------------------


def test_what_cannot_be_kept_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_args: object) -> None:
        raise StoreError("The disk is full.")

    room = bench(ScriptedModel())
    monkeypatch.setattr(room.store, "transaction", full)
    counsel = review(room)
    assert counsel.verdict is CounselVerdict.VETO
    assert "could not be kept: The disk is full." in counsel.reason
    choice = run(room.advisor.decide(situation()))
    assert not choice.intent.wants_something
    assert room.rows() == []
    assert room.budget.used()[0] == 2 * COST, "it was paid for all the same"


def test_a_store_that_hangs_keeps_nobody_and_the_row_says_what_was_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play() -> None:
        loop = asyncio.get_running_loop()

        def block_then_answer(_question: Question) -> str:
            asyncio.run_coroutine_threadsafe(room.lanes.run(LANE, gate.wait, PATIENCE_S), loop)
            return answer()

        model.text = block_then_answer
        counsel = await room.advisor.review(situation(ai=QUICK), proposal())
        assert counsel.verdict is CounselVerdict.VETO
        assert "not written down in time" in counsel.reason
        assert room.rows() == []
        gate.set()
        await room.advisor.finish(PATIENCE_S)

    monkeypatch.setattr("engine.services.advise.KEEP_S", 0.0)
    gate = threading.Event()
    model = ScriptedModel()
    room = bench(model)
    run(play())
    [row] = room.rows()
    assert (row.state, row.decision, row.cost) == (AdviceState.LATE, None, COST)
    assert row.answer == answer()
    assert row.counsel is not None
    assert row.counsel.verdict is CounselVerdict.VETO


def test_what_was_spent_must_be_known_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def locked() -> None:
        raise StoreError("The database is locked.")

    model = ScriptedModel()
    room = bench(model)
    monkeypatch.setattr(room.store, "reading", locked)
    assert "locked" in review(room).reason
    assert model.questions == []


def test_trouble_is_told_once_for_as_long_as_it_lasts() -> None:
    model = ScriptedModel()
    room = bench(model)
    down = ModelUnavailable("It is down.")
    model.script = [down, down, "prose", answer(), down]
    for _ in range(5):
        review(room)
    told = [(event.kind, event.bot_id, event.level) for event in room.events()]
    assert told == [
        ("ai.unavailable", "b0000001", Level.WARNING), ("ai.invalid", "b0000001", Level.WARNING),
        ("ai.unavailable", "b0000001", Level.WARNING),
    ]  # fmt: skip
    assert "It is down." in room.events()[0].message


def test_what_is_kept_can_be_kept_anywhere() -> None:
    model = ScriptedModel("\ud800 half \x00 nothing" + "x" * 50_000)
    room = bench(model)
    review(room, ai=AiConfig(instructions="be \x00 careful"))
    row = last(room)
    assert len(row.answer) <= 20_000
    for text in (row.answer, row.error, row.prompt, row.system):
        assert "\x00" not in text
        text.encode("utf-8")


# --- replays and dry runs -----------------------------------------------------------------------


def test_a_replay_asks_the_same_words_and_nothing_follows() -> None:
    model = ScriptedModel()
    model.script = [answer(), answer(action="sell", reasoning="Another day.")]
    room = bench(model)
    review(room, ai=AiConfig(instructions="Only on Mondays.", model="other-2"))
    first = last(room)
    again = run(room.advisor.replay(first.id))
    assert (again.purpose, again.replay_of, again.state) == ("replay", first.id, "answered")
    one, other = model.questions
    assert (one.system, one.prompt, one.model) == (other.system, other.prompt, other.model)
    assert again.decision is not None
    assert again.decision.action == "sell"
    assert (again.counsel, again.outcome_due_at, again.decision_id) == (None, None, "")
    assert again.proposal == first.proposal
    assert again in room.rows()
    assert room.budget.used() == (2 * COST, 2)


def test_a_replay_of_nothing_says_so() -> None:
    with pytest.raises(NotFound):
        run(bench(ScriptedModel()).advisor.replay("nothing"))


def test_a_dry_run_says_what_would_follow_and_counts_as_any_other() -> None:
    model = ScriptedModel(answer(size=0.5))
    room = bench(model)
    advice = run(room.advisor.dry_run(situation(), proposal()))
    assert advice.counsel is not None
    assert (advice.purpose, advice.counsel.verdict) == ("dry_run", "reduce")
    assert advice.outcome_due_at is None
    decided = run(room.advisor.dry_run(situation()))
    assert decided.counsel is not None
    assert decided.counsel.size == 0.5
    model.script = [ModelUnavailable("down")]
    assert run(room.advisor.dry_run(situation())).error == "down"
    assert room.events() == [], "a person sees it where it was asked"
    assert room.budget.used() == (2 * COST, 3)
