"""Words and colours for models: what was asked, answered, made of it, and what came true."""

from decimal import Decimal

from engine.contracts.ai import (
    AdviceLine,
    AdviceOutcome,
    AdvicePurpose,
    AdviceState,
    AiBudget,
    CounselVerdict,
    ModelAction,
)
from panel.format import MINUS, NONE, percent

STATE_COLOURS = {
    AdviceState.ANSWERED: "green", AdviceState.INVALID: "red", AdviceState.LATE: "orange",
    AdviceState.OVER_BUDGET: "orange", AdviceState.RATE_LIMITED: "orange",
    AdviceState.UNAVAILABLE: "red",
}  # fmt: skip
VERDICT_COLOURS = {
    CounselVerdict.PASS: "green", CounselVerdict.REDUCE: "orange", CounselVerdict.VETO: "red",
}  # fmt: skip
ACTION_COLOURS = {
    ModelAction.BUY: "blue", ModelAction.SELL: "orange", ModelAction.CLOSE: "violet",
    ModelAction.HOLD: "gray",
}  # fmt: skip
PURPOSES = {
    AdvicePurpose.DECIDE: "to decide", AdvicePurpose.REVIEW: "about an entry",
    AdvicePurpose.DRY_RUN: "dry run", AdvicePurpose.REPLAY: "asked again",
}  # fmt: skip
VERDICTS = {
    CounselVerdict.PASS: "passed", CounselVerdict.REDUCE: "reduced",
    CounselVerdict.VETO: "held back",
}  # fmt: skip
FEW = 30
"""Fewer answers than this say next to nothing about a model."""


def state_words(state: AdviceState) -> str:
    """``over_budget`` as ``over budget``."""
    return state.value.replace("_", " ")


def dollars(amount: Decimal | None, digits: int = 4) -> str:
    """US dollars; a call costs fractions of a cent. What is not nothing never reads as nothing."""
    if amount is None:
        return NONE
    least = Decimal(1).scaleb(-digits)
    if 0 < amount < least:
        return f"< ${least:f}"
    return f"{MINUS if amount < 0 else ''}${abs(amount):,.{digits}f}"


def budget_words(budget: AiBudget) -> str:
    """What may be asked and paid today, and what was."""
    return (
        f"{dollars(budget.used_usd)} of {dollars(budget.budget_usd, 2)} and"
        f" {budget.calls_today:,} of {budget.calls_per_day:,} calls used today (UTC), all bots"
        f" together, at most {budget.calls_per_minute:,} a minute"
    )


def outcome_words(outcome: AdviceOutcome | None, *, is_waiting: bool) -> str:
    """Whether it came true."""
    if outcome is None:
        return "waiting" if is_waiting else NONE
    if outcome.is_right is None:
        return "not judged"
    return "right" if outcome.is_right else "wrong"


def line_outcome(line: AdviceLine) -> str:
    """The same of a row."""
    return outcome_words(line.outcome, is_waiting=line.outcome_due_at is not None)


def move_words(outcome: AdviceOutcome | None) -> str:
    """How far the price went in the answer's direction."""
    return NONE if outcome is None else percent(outcome.move, is_signed=True)


def latency_words(seconds: float | None) -> str:
    """``1.4 s``."""
    return NONE if seconds is None else f"{seconds:,.1f} s"
