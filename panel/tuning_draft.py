"""What the tuning form holds, and how it becomes the request that the engine is sent. Pure."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from panel import backtest_draft
from panel.forms import FieldSpec

PREFIX = "tuning_"
HOLDOUT, WALK = "holdout", "walk-forward"
PERIOD_DAYS = 365

EXIT_SPECS = (
    FieldSpec("exits.stop_loss", "Stop loss, %", "number", 2.0, 0.1, 99.0),
    FieldSpec("exits.take_profit", "Take profit, %", "number", 5.0, 0.1, 1000.0),
    FieldSpec("exits.trailing_stop", "Trailing stop, %", "number", 1.5, 0.1, 99.0),
)
"""Exit rules that can be searched, in percent as the form shows them."""

PERCENT = 100.0

DEFAULTS: Mapping[str, Any] = {
    **backtest_draft.DEFAULTS, "symbol": "BTC/USDT", "file": None, "strategy": "ma_cross",
    "objective": "sharpe", "method": "tpe", "trials": 100, "seed": 1, "pruner": "none",
    "min_trades": 10, "split": HOLDOUT, "held_out": 30, "folds": 5, "is_anchored": False,
}  # fmt: skip


def first_draft(today: date) -> dict[str, Any]:
    """The form's content at first: a year of the simulated market."""
    return {**DEFAULTS, "since": today - timedelta(days=PERIOD_DAYS)}


def study_body(
    draft: Mapping[str, Any], specs: Sequence[FieldSpec], searched: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The request of a draft. ``searched`` has what the range widgets of each searched parameter
    hold: low, high and step, or choices."""
    one = {"files": [draft["file"]] if draft["file"] else [], "symbols": [draft["symbol"]]}
    backtest = backtest_draft.body_of({**draft, **one, "name": "", "notes": ""})
    names = {spec.name for spec in specs}
    backtest["params"] = {
        name: value
        for name, value in backtest["params"].items()
        if name in names and name not in searched
    }
    walk = {"folds": draft["folds"], "mode": "anchored" if draft["is_anchored"] else "rolling"}
    return {
        "name": draft["name"].strip(),
        "backtest": backtest,
        "ranges": {name: range_body(name, held) for name, held in searched.items()},
        "objective": draft["objective"],
        "method": draft["method"],
        "trials": draft["trials"],
        "seed": draft["seed"],
        "pruner": draft["pruner"],
        "min_trades": draft["min_trades"],
        "holdout": draft["held_out"] / 100,
        "walk_forward": walk if draft["split"] == WALK else None,
    }


def range_body(name: str, held: Mapping[str, Any]) -> dict[str, Any]:
    """One parameter's range as the engine takes it; exit rules are fractions there."""
    if "choices" in held:
        return {"choices": list(held["choices"])}
    scale = PERCENT if name.startswith("exits.") else 1.0
    numbers = {key: held.get(key) for key in ("low", "high", "step")}
    return {
        key: float(f"{value / scale:.12g}") for key, value in numbers.items() if value is not None
    }
