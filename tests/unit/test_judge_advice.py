"""Answers: one form and no other; whatever is in them, never more than without them."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.domain.advice import (
    AiConfig,
    CounselVerdict,
    ModelDecision,
)
from engine.domain.bots import Direction
from engine.domain.cycle import choose_action, entry_of
from engine.domain.judge_advice import (
    AnswerError,
    choose,
    judge_entry,
    read_answer,
)
from engine.domain.positions import PositionSide
from tests.fakes.model_server import answer
from tests.support.advising import proposal, situation
from tests.support.bad_answers import BAD_ANSWERS
from tests.unit.samples import instrument, position

D = Decimal
LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
AI = AiConfig()


def decided(**changes: Any) -> ModelDecision:
    return read_answer(answer(**changes))


def test_a_good_answer_is_read() -> None:
    found = decided(stop=98.75, target=104, size=0.5, horizon_minutes=90)
    assert (found.action, found.confidence, found.size) == ("buy", 0.9, 0.5)
    assert (found.stop, found.target, found.horizon_minutes) == (D("98.75"), D(104), 90)


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_anything_else_is_no_answer(case: str) -> None:
    text, words = BAD_ANSWERS[case]
    with pytest.raises(AnswerError, match=words) as caught:
        read_answer(text)
    assert len(str(caught.value)) < 300


def test_reasons_are_cleaned() -> None:
    assert decided(reasoning="a\n\u202eb\ud800").reasoning == "a b"


# --- an advisor ---------------------------------------------------------------------------------


def test_who_agrees_lets_it_pass() -> None:
    counsel = judge_entry(decided(), proposal(), AI, instrument(), "ad1")
    assert (counsel.verdict, counsel.size, counsel.advice_id) == ("pass", 1, "ad1")
    assert (counsel.stop_price, counsel.target_price) == (None, None)
    short = judge_entry(decided(action="sell"), proposal(SHORT), AI, instrument())
    assert short.verdict is CounselVerdict.PASS


def test_less_is_less() -> None:
    counsel = judge_entry(decided(size=0.4), proposal(), AI, instrument())
    assert (counsel.verdict, counsel.size) == ("reduce", 0.4)
    assert counsel.reason.startswith("40%")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"action": "sell"}, "sell instead of long"),
        ({"action": "hold"}, "hold instead of long"),
        ({"action": "close"}, "close instead of long"),
        ({"confidence": 0.69}, "0.69 sure, 0.70 is needed"),
        ({"size": 0.001}, "less than 1%"),
    ],
)
def test_who_does_not_agree_holds_it_back(changes: dict[str, Any], words: str) -> None:
    counsel = judge_entry(decided(**changes), proposal(), AI, instrument())
    assert counsel.verdict is CounselVerdict.VETO
    assert words in counsel.reason
    assert not counsel.has_levels


@pytest.mark.parametrize(
    ("side", "own", "wanted", "stop"),
    [
        (LONG, "98", 99, "99"),  # nearer
        (LONG, "98", 98, None),  # the same
        (LONG, "98", 97.99, None),  # farther
        (LONG, "98", 99.999, None),  # too near
        (LONG, "98", 100, None),  # at the price
        (LONG, "98", 101, None),  # on the other side
        (LONG, "98", 98.001, "98.01"),  # on the tick, towards the price
        (LONG, None, 60, "60"),
        (LONG, None, 49.99, None),  # half of it is as far as it goes
        (SHORT, "102", 101, "101"),
        (SHORT, "102", 102.01, None),
        (SHORT, "102", 99, None),
        (SHORT, "102", 101.999, "101.99"),
        (SHORT, None, 150, "150"),
        (SHORT, None, 150.01, None),
    ],
)
def test_a_stop_is_only_ever_nearer(
    side: PositionSide, own: str | None, wanted: float, stop: str | None
) -> None:
    action = "buy" if side is LONG else "sell"
    entry = proposal(side, stop_price=D(own) if own else None)
    counsel = judge_entry(decided(action=action, stop=wanted), entry, AI, instrument())
    assert counsel.stop_price == (D(stop) if stop else None)
    assert counsel.verdict is CounselVerdict.PASS


@pytest.mark.parametrize(
    ("side", "own", "wanted", "target"),
    [
        (LONG, "105", 103, "103"),
        (LONG, "105", 105, None),
        (LONG, "105", 110, None),  # it would hold on for longer
        (LONG, "105", 99, None),
        (LONG, None, 110, "110"),
        (LONG, None, 1_101, None),
        (SHORT, "95", 97, "97"),
        (SHORT, "95", 94, None),
        (SHORT, None, 90, "90"),
        (SHORT, None, 101, None),
    ],
)
def test_a_target_is_on_the_side_of_the_gain_and_only_ever_nearer(
    side: PositionSide, own: str | None, wanted: float, target: str | None
) -> None:
    action = "buy" if side is LONG else "sell"
    entry = proposal(side, target_price=D(own) if own else None)
    counsel = judge_entry(decided(action=action, target=wanted), entry, AI, instrument())
    assert counsel.target_price == (D(target) if target else None)


def test_who_may_not_set_levels_sets_none() -> None:
    ai = AiConfig(may_set_levels=False)
    counsel = judge_entry(decided(stop=99, target=101), proposal(), ai, instrument())
    assert (counsel.verdict, counsel.has_levels) == ("pass", False)


# --- a decider ----------------------------------------------------------------------------------

HELD = {"none": None, "long": LONG, "short": SHORT}


@pytest.mark.parametrize(
    ("answered", "held", "direction", "action"),
    [
        ({"action": "hold"}, "none", "both", "hold"),
        ({"action": "hold"}, "long", "both", "hold"),
        ({"action": "buy"}, "none", "both", "enter_long"),
        ({"action": "buy"}, "none", "short", "hold"),
        ({"action": "buy"}, "long", "both", "enter_long"),  # the gate counts the entries
        ({"action": "buy"}, "short", "both", "reverse"),
        ({"action": "buy"}, "short", "short", "exit"),
        ({"action": "sell"}, "none", "long", "hold"),
        ({"action": "sell"}, "none", "both", "enter_short"),
        ({"action": "sell"}, "long", "long", "exit"),
        ({"action": "sell"}, "long", "both", "reverse"),
        ({"action": "close"}, "none", "both", "hold"),
        ({"action": "close"}, "long", "both", "exit"),
        ({"action": "close"}, "short", "both", "exit"),
        ({"action": "close", "confidence": 0.1}, "long", "both", "exit"),
        ({"action": "buy", "confidence": 0.1}, "none", "both", "hold"),
        ({"action": "sell", "confidence": 0.1}, "long", "both", "hold"),
        ({"action": "sell", "size": 0.001}, "long", "both", "exit"),
    ],
)
def test_what_a_decider_wants(
    answered: dict[str, Any], held: str, direction: str, action: str
) -> None:
    side = HELD[held]
    found = situation(position=position(side=side) if side else None, can_short=direction != "long")
    choice = choose(decided(**answered), found)
    assert choose_action(choice.intent, Direction(direction), side) == action


def test_a_deciders_levels_are_checked_against_the_bots_own() -> None:
    choice = choose(decided(stop=99, target=103, size=0.5), situation(), "ad1")
    counsel = choice.counsel
    assert (counsel.stop_price, counsel.target_price, counsel.size) == (D(99), D(103), 0.5)
    assert (choice.intent.size, choice.intent.confidence, counsel.advice_id) == (1, 0.9, "ad1")
    farther = choose(decided(stop=97, target=106), situation()).counsel
    assert not farther.has_levels


# --- whatever is written ------------------------------------------------------------------------

numbers = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.integers(), st.floats(0, 200),
    st.sampled_from([0, 1, 99, 98.01, 100, 103, 1e308, -1, "1", None, True]),
)  # fmt: skip
answers = st.one_of(
    st.text(st.sampled_from('{}[]",:0123456789eE+-. NaInfbuysel'), max_size=200),
    st.fixed_dictionaries(
        {
            "action": st.sampled_from(["buy", "sell", "close", "hold", "BUY", 1]),
            "confidence": numbers, "size": numbers, "stop": numbers, "target": numbers,
            "horizon_minutes": st.sampled_from([1, 60, 0, -1, 1e9, "60"]),
            "reasoning": st.sampled_from(["up", "", "\u202e", "x" * 3_000]),
            "risk_level": st.sampled_from(["low", "high", "x"]),
        }
    ).map(json.dumps),
)  # fmt: skip
prices = st.decimals("0.01", "99999", places=2)


def checked(text: str) -> ModelDecision | None:
    try:
        return read_answer(text)
    except AnswerError:
        return None


@given(answers, st.sampled_from(PositionSide), prices, st.booleans())
@example(answer(size=0.5, stop=99.5, target=104), LONG, D(100), True)
@example(answer(action="sell", stop=100.5), SHORT, D(100), True)
def test_no_answer_makes_an_entry_larger_or_its_stop_wider(
    text: str, side: PositionSide, price: Decimal, has_stop: bool
) -> None:
    decision = checked(text)
    if decision is None:
        return
    is_long = side is LONG
    own = price * (D("0.98") if is_long else D("1.02")) if has_stop else None
    entry = proposal(side, price=price, stop_price=own, target_price=None)
    counsel = judge_entry(decision, entry, AI, instrument())
    assert 0 < counsel.size <= 1
    if counsel.verdict is CounselVerdict.VETO:
        assert not counsel.has_levels
        return
    stop, target = counsel.stop_price, counsel.target_price
    if stop is not None:
        assert (stop < price) if is_long else (stop > price)
        assert own is None or ((stop > own) if is_long else (stop < own))
        assert abs(stop - price) <= price / 2
    if target is not None:
        assert (target > price) if is_long else (target < price)


@given(answers, st.sampled_from([None, LONG, SHORT]), st.sampled_from(Direction))
def test_no_answer_opens_what_a_bot_may_not_open(
    text: str, held: PositionSide | None, direction: Direction
) -> None:
    decision = checked(text)
    if decision is None:
        return
    found = situation(
        position=position(side=held) if held else None, can_short=direction != Direction.LONG
    )
    choice = choose(decision, found)
    opened = entry_of(choose_action(choice.intent, direction, held), held)
    if opened is None:
        return
    assert decision.confidence >= AI.min_confidence
    assert choice.counsel.verdict is not CounselVerdict.VETO
    assert direction is Direction.BOTH or direction.value == opened.value
