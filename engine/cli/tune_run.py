"""The work of ``tune``: a study from what was typed to what is printed."""

import contextlib
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from engine.bootstrap_research import load_strategy
from engine.bootstrap_studies import GivenCandles, offline_tuner
from engine.cli.backtest_output import document_of
from engine.cli.backtest_run import params_of, simulated
from engine.cli.context import Desk
from engine.cli.failures import BadInput, Failure
from engine.cli.options import parameters
from engine.cli.output import one_line, pairs, table
from engine.domain.backtest_runs import BacktestRequest, FileSource
from engine.domain.backtests import BacktestTerms
from engine.domain.objectives import OBJECTIVES
from engine.domain.performance import history_of, measure
from engine.domain.search_space import Range
from engine.domain.studies import StudyProgress, StudyRequest, StudySummary, TrialRow
from engine.domain.walk_forward import WalkForward
from engine.errors import ConfigError, NotFound, QuarterdeckError
from engine.links.candle_files import read_candles

CANDLES = "candles"
BACKTEST_PARTS = ("trades", "open_position", "metrics", "equity")
SHOWN = (("total_return", "total return"), ("cagr", "a year"), ("sharpe", "Sharpe ratio"),
         ("sortino", "Sortino ratio"), ("max_drawdown", "max drawdown"),
         ("profit_factor", "profit factor"), ("trades", "trades"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What was typed; ``wanted`` are fields of ``StudyRequest``, ``terms`` of ``BacktestTerms``."""

    strategy: str
    candles: str
    timeframe: str | None
    params: str
    param: list[str]
    param_range: list[str]
    walk_forward: int | None
    is_anchored: bool
    wanted: dict[str, Any]
    terms: dict[str, Any]
    workers: int | None
    study: str | None


def run(desk: Desk, asked: Asked) -> None:
    """Search, and print what was found. Raises BadInput, Failure."""
    with _told_as_failures(asked.study):
        instrument, bars = read_candles(asked.candles, desk.settings.data / "candles")
        request = _request(
            {
                **asked.wanted,
                "ranges": dict(map(_range_of, asked.param_range)),
                "walk_forward": _folds(asked.walk_forward, asked.is_anchored),
            },
            {
                "strategy": asked.strategy,
                "params": {**params_of(asked.params), **parameters(asked.param)},
                "source": FileSource(files=(CANDLES,)),
                "timeframe": asked.timeframe or bars.timeframe,
                "terms": asked.terms,
            },
        )
        with _records(desk, asked.study) as folder:
            given = GivenCandles(CANDLES, instrument, bars)
            with offline_tuner(desk.settings, given, folder, asked.workers) as tuner:
                name = asked.study or "study"
                found = tuner.run(request, name, _tell)
                tried = tuner.trials(request, name, len(found.folds) or 1)
        best = _best(desk, request, given, found)
    document = _document(request, asked.candles, found, tried)
    desk.printer.show({**document, **best}, _lines(request, found), is_long=True)


# --- what is asked ------------------------------------------------------------------------------


def _request(study: Mapping[str, Any], backtest: Mapping[str, Any]) -> StudyRequest:
    try:
        terms = BacktestTerms.model_validate(backtest["terms"])
        asked = BacktestRequest.model_validate({**backtest, "terms": terms})
        return StudyRequest.model_validate({**study, "backtest": asked})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        option = "-".join(str(part) for part in problem["loc"]).replace("_", "-")
        words = problem["msg"].removeprefix("Value error, ")
        raise BadInput(f"--{option}: {words[:1].lower()}{words[1:]}.", "invalid") from error


def _range_of(text: str) -> tuple[str, Range]:
    name, is_given, values = text.partition("=")
    if not is_given or not name or not values:
        raise BadInput(f"--param-range {text}: write it as fast=5:50 or fast=5:50:5.")
    if ":" not in values:
        return name, Range(choices=tuple(map(_value_of, values.split(","))))
    try:
        low, high, *step = (float(one) for one in values.split(":"))
        return name, Range(low=low, high=high, step=step[0] if step else None)
    except (ValueError, ValidationError) as error:
        raise BadInput(
            f"--param-range {text}: write it as fast=5:50 or fast=5:50:5, in numbers."
        ) from error


def _value_of(text: str) -> int | float | bool | str:
    """A number or a yes or no where it is one, else the text."""
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            return kind(text)
    return {"true": True, "false": False}.get(text.lower(), text)


def _folds(folds: int | None, is_anchored: bool) -> WalkForward | None:
    if folds is None:
        return None
    try:
        return WalkForward(folds=folds, mode="anchored" if is_anchored else "rolling")
    except ValidationError as error:
        raise BadInput(f"--walk-forward: {folds} is not between 1 and 100.") from error


# --- how it goes --------------------------------------------------------------------------------


@contextlib.contextmanager
def _records(desk: Desk, study: str | None) -> Iterator[Path]:
    """Where the trials are written down: in the data folder, or nowhere for long."""
    if study is not None:
        if not study.replace("-", "").replace("_", "").isalnum():
            raise BadInput("--study: letters, digits, - and _ only.")
        yield desk.settings.data / "studies" / "cli"
        return
    with tempfile.TemporaryDirectory(prefix="quarterdeck-tune-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def _told_as_failures(study: str | None) -> Iterator[None]:
    try:
        yield
    except (ConfigError, NotFound) as error:
        raise BadInput(error.message, error.code) from error
    except QuarterdeckError as error:
        raise Failure(error.message, error.code) from error
    except KeyboardInterrupt:
        kept = (
            f"'{study}' is kept; the same command goes on with it" if study else "nothing is kept"
        )
        raise Failure(f"Stopped: {kept}.", "interrupted") from None


def _tell(progress: StudyProgress) -> None:
    fold = f"fold {progress.fold} of {progress.folds}, " if progress.folds > 1 else ""
    best = "" if progress.best_value is None else f", best {progress.best_value:.4g}"
    count = (
        f" {fold}{progress.trials} of {progress.planned} trials{best}" if progress.planned else ""
    )
    print(f"{progress.stage}:{count}" if count else f"{progress.stage} ...", file=sys.stderr,
          flush=True)  # fmt: skip


# --- what is answered ---------------------------------------------------------------------------


def _best(
    desk: Desk, request: StudyRequest, given: GivenCandles, found: StudySummary
) -> dict[str, Any]:
    """The backtest of the best over all the candles, as ``backtest`` prints it: in and out of
    sample together, so it judges nothing."""
    if not found.best:
        return dict.fromkeys(BACKTEST_PARTS)
    asked, folder = request.backtest, desk.settings.strategies
    strategy = load_strategy(folder, asked.strategy, found.params)
    exits = asked.terms.exits.model_dump() | {
        name.removeprefix("exits."): value for name, value in found.exits.items()
    }
    terms = BacktestTerms.model_validate(asked.terms.model_dump() | {"exits": exits})
    result = simulated(folder, asked.strategy, strategy, given.instrument, given.candles,
                       asked.timeframe, terms)  # fmt: skip
    document = document_of(asked.strategy, strategy, result, measure(history_of(result)), [])
    return {part: document[part] for part in BACKTEST_PARTS}


def _document(
    request: StudyRequest, candles: str, found: StudySummary, trials: Sequence[TrialRow]
) -> dict[str, Any]:
    summary = found.model_dump(mode="json")
    return {
        "strategy": request.backtest.strategy,
        "candles": candles,
        "timeframe": request.backtest.timeframe,
        "objective": request.objective.value,
        "method": request.method.value,
        "seed": request.seed,
        "best": {"params": summary["best"], "value": found.best_value,
                 "all_params": summary["params"], "exits": summary["exits"]},
        "in_sample": summary["inside"],
        "out_of_sample": summary["outside"],
        "overfitting": summary["luck"],
        "trials": [one.model_dump(mode="json") for one in trials],
        **{key: summary[key] for key in ("folds", "efficiency", "stability", "importance",
                                         "monte_carlo", "counts", "grid_size", "warnings", "note")},
    }  # fmt: skip


def _lines(request: StudyRequest, found: StudySummary) -> list[str]:
    if not found.best:
        return [found.note]
    best = ", ".join(f"{name} {value}" for name, value in found.best.items())
    title = OBJECTIVES[request.objective].title
    rows = [(words, _number(found.inside.get(key)), _number(found.outside.get(key)))
            for key, words in SHOWN]  # fmt: skip
    counts = ", ".join(f"{count} {one.value}" for one, count in sorted(found.counts.items()))
    head = [("best", best), (title.lower(), _number(found.best_value)), ("trials", counts)]
    if found.efficiency is not None and request.walk_forward is not None:
        head.append(("walk-forward efficiency", f"{found.efficiency:.2f}"))
    return [
        *pairs(head), "",
        *table(("", "in sample", "out of sample"), rows, ""), "",
        *(one_line(words) for words in (*found.luck.verdict, *found.warnings)),
    ]  # fmt: skip


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else "-"
