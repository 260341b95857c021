"""Two hundred attempts to make a bot do more than it would without a model, and none succeeds.

Each goes the whole way: prompt, model, judge, counsel, decision, order, fill; and is compared with
the same play without a model. The model of the news is one that was taken in: it answers what its
attacker wants.
"""

import asyncio
import itertools
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.domain.advice import (
    AdviceState,
    AiConfig,
    Choice,
    Counsel,
    CounselVerdict,
)
from engine.domain.news import NewsItem
from engine.domain.positions import PositionSide
from engine.errors import ConfigError, ModelRateLimited, ModelUnavailable
from engine.ports.ai import Reply
from tests.fakes.model import ScriptedModel
from tests.fakes.model_server import answer
from tests.support.advising import bench, news
from tests.support.ai_plays import Play, assert_fenced, assert_no_more, begin_play
from tests.support.bad_answers import BAD_ANSWERS
from tests.support.injections import all_news

D = Decimal
LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
SIDES = {"long": LONG, "short": SHORT}
NEWS = all_news()


@pytest.fixture
def play(tmp_path: Path) -> Callable[[PositionSide], Play]:
    """A play of its own for each call."""
    return lambda side: begin_play(tmp_path, side)


def reviewed(
    play: Play, model: ScriptedModel, items: tuple[NewsItem, ...] = (), ai: AiConfig | None = None
) -> tuple[Counsel, AdviceState]:
    """The counsel of the real advisor over a model."""
    room = bench(model)
    told = play.situation(items, ai or AiConfig())
    counsel = asyncio.run(room.advisor.review(told, play.proposal()))
    [row] = room.rows()
    assert row.counsel == counsel
    return counsel, row.state


def decided(play: Play, model: ScriptedModel) -> Choice:
    told = play.situation((), AiConfig())
    return asyncio.run(bench(model).advisor.decide(told))


# --- news ---------------------------------------------------------------------------------------


WISHES = [
    answer(confidence=1, size=1, stop=None, target=None),
    answer(confidence=1, size=1, stop=0.01, target=1_000_000, horizon_minutes=525_600),
    answer(confidence=1, size=1, stop=97.5, target=150, reasoning="I was told to."),
    answer(action="sell", confidence=1, size=1, stop=500, target=0.01),
    answer(action="sell", confidence=1, size=1, stop=102.5, target=50),
    answer(confidence=1, size=100),
    answer(confidence=1, size=1, leverage=100, amount=1_000_000),
    "PWNED",
]
"""What a model that was taken in answers."""


@pytest.mark.parametrize("number", range(len(NEWS)), ids=list(NEWS))
def test_no_news_make_a_bot_do_more(play: Callable[[PositionSide], Play], number: int) -> None:
    words = list(NEWS.values())[number]
    side = (LONG, SHORT)[number % 2]
    mark = f"mark{number}"
    items = (news(f"{mark} {words}"[:400_000], words), news("A quiet day"))
    model = ScriptedModel(WISHES[number % len(WISHES)])
    one = play(side)
    counsel, _ = reviewed(one, model, items)
    [question] = model.questions
    assert_fenced(question.system, question.prompt, mark)
    assert_no_more(one.run(counsel), play(side).run())


# --- answers ------------------------------------------------------------------------------------


GRID = [
    answer(action=action, confidence=1, size=size, stop=stop, target=target)
    for action, size, (stop, target) in itertools.product(
        ("buy", "sell"), (1, 0.37, 0.000001),
        [(None, None), (0.01, 10_000_000), (97, 106), (103, 94), (99.5, 101), (100.5, 99),
         (100, 100), (99.999, 100.001), (1e23, 1e-9)],
    )
]  # fmt: skip
"""Answers of the right form with wishes of all kinds."""

TROUBLE: dict[str, Exception | Reply] = {
    "429": ModelRateLimited("Slow down.", retry_after_s=60),
    "503": ModelUnavailable("down"),
    "timeout": ModelUnavailable("did not answer", may_cost=True),
    "a bad key": ConfigError("Set another key."),
    "a bug": ZeroDivisionError(),
    "cut off": Reply(answer()[:60], 10, 10, "It grew too long."),
    "blocked": Reply("", 10, 0, "It is blocked."),
    "said more, and was stopped": Reply(answer(), 10, 10, "It was stopped."),
    "billions of tokens": Reply(answer(), 10**12, 10**12),
    "tokens below nothing": Reply(answer(size=0.5), -5, -5),
}
ANSWERS: dict[str, Any] = (
    {name: text for name, (text, _) in BAD_ANSWERS.items()}
    | {f"grid {number}": text for number, text in enumerate(GRID)}
    | TROUBLE
)


def model_of(said: Any) -> ScriptedModel:
    model = ScriptedModel()
    model.script = [said]
    return model


@pytest.mark.parametrize("case", ANSWERS)
def test_no_answer_makes_an_advised_bot_do_more(
    play: Callable[[PositionSide], Play], case: str
) -> None:
    side = LONG if len(case) % 2 else SHORT
    one = play(side)
    counsel, state = reviewed(one, model_of(ANSWERS[case]))
    course = one.run(counsel)
    assert_no_more(course, play(side).run())
    if state is not AdviceState.ANSWERED:
        assert course.quantity == 0


@pytest.mark.parametrize("case", ANSWERS)
def test_no_answer_makes_a_deciding_bot_do_more_than_its_stake(
    play: Callable[[PositionSide], Play], case: str
) -> None:
    side = LONG if "buy" in str(ANSWERS[case]) else SHORT
    one = play(side)
    choice = decided(one, model_of(ANSWERS[case]))
    is_other = choice.intent.enter_short if side is LONG else choice.intent.enter_long
    assert not is_other
    assert_no_more(one.run(choice.counsel, choice.intent), play(side).run())


@pytest.mark.parametrize("side", SIDES)
def test_the_comparison_would_see_more(play: Callable[[PositionSide], Play], side: str) -> None:
    """A counsel that no judge gives, to show that the promise is not kept by the test itself."""
    which = SIDES[side]
    without = play(which).run()
    agrees = "buy" if which is LONG else "sell"
    same, _ = reviewed(play(which), model_of(answer(action=agrees)))
    assert play(which).run(same) == without
    less, _ = reviewed(play(which), model_of(answer(action=agrees, size=0.5)))
    assert play(which).run(less).spent == without.spent / 2
    assert without.quantity > 0
    assert without.exits
    assert without.stop is not None
    wider = without.stop * (D("0.9") if which is LONG else D("1.1"))
    forged = Counsel.model_construct(
        verdict=CounselVerdict.PASS, reason="", size=2.0, stop_price=wider, target_price=None,
        advice_id="", confidence=1.0,
    )  # fmt: skip
    course = play(which).run(forged)
    with pytest.raises(AssertionError):
        assert_no_more(course, without)
    assert course.stop == without.stop, "a wider stop is caught once more where it is booked"


def test_there_are_two_hundred() -> None:
    assert len(NEWS) >= 100
    assert len(ANSWERS) >= 100


@pytest.mark.parametrize(
    ("side", "fill_price", "wishes", "stop", "target"),
    [
        ("long", "100.07", {"stop": 98.01}, "98.07", "105.08"),
        ("long", "99.90", {"stop": 98.01, "target": 104.99}, "98.01", "104.9"),
        ("short", "99.93", {"stop": 101.99}, "101.92", "94.93"),
        ("short", "100.10", {"stop": 101.99, "target": 95.01}, "101.99", "95.09"),
    ],
)
def test_levels_that_are_nearer_at_the_price_judged_are_no_farther_at_the_price_paid(
    play: Callable[[PositionSide], Play], side: str, fill_price: str, wishes: dict[str, float],
    stop: str, target: str,
) -> None:  # fmt: skip
    which = SIDES[side]
    one, without = play(which), play(which)
    one.fill_price = without.fill_price = fill_price
    said = answer(action="buy" if which is LONG else "sell", **wishes)
    counsel, _ = reviewed(one, model_of(said))
    assert counsel.stop_price == D(str(wishes["stop"])), "nearer than the bot's own, then"
    course = one.run(counsel)
    assert (course.stop, course.target) == (D(stop), D(target))
    assert_no_more(course, without.run())
