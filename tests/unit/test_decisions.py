"""From intent to action, stake and risk verdict."""

from decimal import Decimal as D
from typing import Any

import pytest

from engine.domain.bots import BotState, Direction
from engine.domain.cycle import choose_action, entry_of
from engine.domain.decisions import Action, Intent, Verdict
from engine.domain.positions import PositionSide
from engine.domain.risk import RULES, Proposal, judge
from engine.domain.sizing import affordable_quantity, stake
from tests.unit.samples import bot, config, instrument, position

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT
BOTH = Direction.BOTH

CASES = [
    ({"enter_long": True}, Direction.LONG, None, Action.ENTER_LONG),
    ({"enter_long": True}, Direction.SHORT, None, Action.HOLD),
    ({"enter_short": True}, BOTH, None, Action.ENTER_SHORT),
    ({"enter_long": True, "enter_short": True}, BOTH, None, Action.HOLD),
    ({"exit_long": True}, BOTH, None, Action.HOLD),
    ({"exit_long": True}, BOTH, LONG, Action.EXIT),
    ({"exit_long": True, "enter_long": True}, BOTH, LONG, Action.EXIT),
    ({"enter_short": True}, BOTH, LONG, Action.REVERSE),
    ({"enter_short": True}, Direction.LONG, LONG, Action.HOLD),
    ({"exit_long": True, "enter_short": True}, Direction.LONG, LONG, Action.EXIT),
    ({"enter_long": True}, BOTH, LONG, Action.ENTER_LONG),
    ({"exit_short": True}, BOTH, SHORT, Action.EXIT),
    ({"enter_long": True}, BOTH, SHORT, Action.REVERSE),
    ({}, BOTH, SHORT, Action.HOLD),
]


@pytest.mark.parametrize(("wants", "direction", "held", "action"), CASES)
def test_what_an_intent_means(
    wants: dict[str, Any], direction: Direction, held: PositionSide | None, action: Action
) -> None:
    assert choose_action(Intent(**wants), direction, held) is action


def test_a_reversal_enters_the_other_side() -> None:
    assert entry_of(Action.REVERSE, LONG) is SHORT
    assert entry_of(Action.REVERSE, SHORT) is LONG
    assert entry_of(Action.EXIT, LONG) is None


VETOES: list[tuple[str, dict[str, Any]]] = [
    ("control", {"control": "the control 'pause entries' is on for BTC/USDT"}),
    ("account", {"account": "the account has not been reconciled yet"}),
    ("bot state", {"bot": bot(state=BotState.PAUSED)}),
    ("shorting", {"side": SHORT, "instrument": instrument(can_short=False)}),
    ("working entry", {"has_working_entry": True}),
    ("candles", {"candles": "Candles from Yahoo since 12:04: Binance does not answer"}),
    ("entries", {"position": position(entry_count=1)}),
    ("minimum", {"amount": D("4.99")}),
    ("minimum", {"amount": D(0), "instrument": instrument(min_notional=D(0))}),
    ("cash", {"free_cash": D("99.99")}),
]


def proposal(**changes: Any) -> Proposal:
    fields: dict[str, Any] = {
        "bot": bot(), "instrument": instrument(), "side": LONG, "amount": D(100),
        "position": None, "has_working_entry": False,
    }  # fmt: skip
    return Proposal(**(fields | changes))


@pytest.mark.parametrize(("rule", "changes"), VETOES)
def test_each_rule_objects_in_words(rule: str, changes: dict[str, Any]) -> None:
    step = judge(proposal(**changes))
    assert step.verdict is Verdict.VETO
    assert step.values["rule"] == rule
    assert step.detail


def test_every_rule_has_a_case_and_a_sound_entry_passes() -> None:
    assert {rule for rule, _ in VETOES} == {rule.name for rule in RULES}
    assert judge(proposal()).verdict is Verdict.PASS
    further = bot(config(max_entries=2))
    assert judge(proposal(bot=further, position=position(entry_count=1))).verdict is Verdict.PASS


def test_cash_that_is_not_known_or_comes_from_the_exit_before_is_no_objection() -> None:
    assert judge(proposal(free_cash=D(100))).verdict is Verdict.PASS
    held = position(side=SHORT)
    assert judge(proposal(free_cash=D(0), position=held)).verdict is Verdict.PASS
    assert "and 0.5 USDT are free beside" in judge(proposal(free_cash=D("0.50"))).detail


def test_the_first_trade_uses_the_amount_and_later_ones_all_proceeds() -> None:
    assert stake(bot()) == D(100)
    assert stake(bot(realised_pnl=D("12.5"))) == D("112.5")
    assert stake(bot(config(reinvest=False), realised_pnl=D("12.5"))) == D(100)
    assert stake(bot(config(max_entries=4), realised_pnl=D(40))) == D(110)
    assert stake(bot(), size=0.25) == D(25)
    assert stake(bot(realised_pnl=D(-150))) == 0, "a bot that lost everything has no stake"


def test_what_an_amount_buys_includes_the_fee_and_lies_on_the_step() -> None:
    quantity = affordable_quantity(D(100), D(30_000), D(10), instrument())
    assert quantity == D("0.00333")
    assert quantity * 30_000 * D("1.001") <= 100
