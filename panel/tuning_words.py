"""Studies in words. Pure."""

from collections.abc import Mapping

from engine.contracts.studies import (
    OBJECTIVES,
    Luck,
    ObjectiveKey,
    Study,
    StudyProgress,
    StudyState,
    TrialOutcome,
    Value,
)
from panel.format import MINUS, NONE, percent

STATE_COLOURS = {
    StudyState.QUEUED: "blue", StudyState.RUNNING: "blue", StudyState.DONE: "green",
    StudyState.FAILED: "red", StudyState.CANCELLED: "gray", StudyState.INTERRUPTED: "orange",
}  # fmt: skip

STAGES = {
    "waiting": "Waiting for its turn", "reading": "Reading the candles",
    "inspecting": "Looking at the strategy", "searching": "Searching",
    "judging": "Judging the winner", "monte carlo": "Monte Carlo of its trades", "done": "Done",
}  # fmt: skip

OUTCOMES = {
    TrialOutcome.SCORED: "scored", TrialOutcome.PRUNED: "given up early",
    TrialOutcome.INELIGIBLE: "cannot win", TrialOutcome.REFUSED: "refused by the strategy",
    TrialOutcome.FAILED: "failed",
}  # fmt: skip

FIGURE_OF = {
    ObjectiveKey.SHARPE: "sharpe", ObjectiveKey.SORTINO: "sortino", ObjectiveKey.CALMAR: "calmar",
    ObjectiveKey.PROFIT_FACTOR: "profit_factor", ObjectiveKey.RETURN: "total_return",
    ObjectiveKey.PENALISED: "total_return",
}  # fmt: skip
"""Which figure stands for an objective where in and out of sample are compared."""

FRACTIONS = frozenset({"total_return", "cagr", "max_drawdown", "win_rate"})


def title_of(objective: ObjectiveKey) -> str:
    """What a study wants."""
    return OBJECTIVES[objective].title


def progress_words(progress: StudyProgress) -> str:
    """What a study is doing, and how far it is."""
    words = STAGES.get(progress.stage, progress.stage)
    if progress.stage != "searching":
        return words
    fold = f"fold {progress.fold} of {progress.folds}, " if progress.folds > 1 else ""
    return f"{words}: {fold}{progress.trials:,} of {progress.planned:,} trials"


def values_words(values: Mapping[str, Value]) -> str:
    """Parameters with their values."""
    return ", ".join(f"{name} {value_words(value)}" for name, value in values.items()) or NONE


def value_words(value: Value) -> str:
    """One value."""
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def figure_words(key: str, value: float | None) -> str:
    """A figure as a person reads it."""
    if value is None:
        return NONE
    if key in FRACTIONS:
        return percent(value)
    words = f"{value:,.0f}" if key == "trades" else f"{value:,.3f}"
    return words.replace("-", MINUS)


def luck_colour(luck: Luck) -> str:
    """How worrying the verdict is."""
    if luck.pbo is None:
        return "gray"
    is_likely = luck.pbo > 0.5 or (luck.deflated_sharpe or 0) < 0.5
    return "red" if is_likely else "orange" if luck.pbo > 0.2 else "green"


def best_words(study: Study) -> str:
    """The best so far, in one line."""
    progress = study.progress
    if progress.best_value is None:
        return "No trial can win so far."
    return (
        f"Best so far: {title_of(study.request.objective).lower()} {progress.best_value:,.4g}"
        f" with {values_words(progress.best_values)}"
    )
