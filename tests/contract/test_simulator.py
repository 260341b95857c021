"""Backtests in processes of their own: the same answer as within one, and nothing worse."""

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.adapters.strategies.simulator import BenchSimulator
from engine.domain.backtest_runs import RunStage
from engine.domain.backtests import BacktestTerms
from engine.domain.candles import resample
from engine.domain.rules import RuleSet
from engine.errors import ConfigError, DataError, NotFound, StrategyError
from engine.ports import SimulationLeg, SimulationTask
from tests.contract.test_backtest_results import assert_same
from tests.fakes.backtests import FakeSimulator
from tests.fakes.candles import random_candles
from tests.fakes.strategy_host import STRATEGIES, FakeStrategyHost
from tests.unit.test_rules import DIP

FINE = random_candles(4000, 5, timeframe="15m")
LEGS = (SimulationLeg("BTC/USDT", resample(FINE, "1h"), 100, FINE[400:]),)
BODY = '''
"""Misbehaves."""
import os, time
from engine.domain.strategy import Strategy


class Bad(Strategy):
    title = "Bad"
    summary = "Bad."

    @property
    def warmup(self) -> int:
        return 1

    def signals(self, candles):
        {deed}
'''


def shipped(strategy_id: str) -> Path:
    """One of the project's own."""
    if strategy_id == "nothing":
        raise NotFound(f"there is no strategy '{strategy_id}'", field="strategy")
    return STRATEGIES / f"{strategy_id}.py"


def task(strategy: str = "rsi", **params: Any) -> SimulationTask:
    """A backtest over LEGS."""
    return SimulationTask(strategy, params, LEGS, BacktestTerms())


def misbehaving(folder: Path, deed: str) -> BenchSimulator:
    """A simulator whose strategy does that."""
    (folder / "bad.py").write_text(BODY.replace("{deed}", deed))
    return BenchSimulator(lambda name: folder / f"{name}.py", 5.0, 1024)


def test_a_process_answers_what_the_loop_answers_here() -> None:
    stages: list[RunStage] = []
    bench = BenchSimulator(shipped, 60.0, 2048)
    outcome = bench.begin(task(period=7)).outcome(lambda stage, _: stages.append(stage))
    here = FakeSimulator(FakeStrategyHost()).begin(task(period=7)).outcome(lambda *_: None)
    assert_same(here.result, outcome.result)
    assert outcome.metrics == here.metrics
    assert outcome.metrics["trades"] > 3
    assert list(dict.fromkeys(stages)) == [
        RunStage.SIGNALS, RunStage.SIMULATING, RunStage.MEASURING,
    ]  # fmt: skip
    assert np.array_equal(outcome.result.time, FINE.time[400:])


def test_a_rule_set_is_a_strategy_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "dip.rules.json").write_text(RuleSet.model_validate(DIP).model_dump_json())
    bench = BenchSimulator(lambda name: tmp_path / f"{name}.rules.json", 60.0, 2048)
    outcome = bench.begin(task("dip")).outcome(lambda *_: None)
    assert outcome.metrics["trades"] == len(outcome.result.trades) > 0


@pytest.mark.parametrize(
    ("deed", "sentence"),
    [
        ("return candles.close[10 ** 9]", r"strategy 'bad': line 16: IndexError"),
        ("os._exit(3)", r"strategy 'bad': .*exit code 3"),
        ("return None", r"strategy 'bad': .*NoneType"),
    ],
)
def test_a_strategy_that_fails_is_told_with_its_line(
    tmp_path: Path, deed: str, sentence: str
) -> None:
    with pytest.raises(StrategyError, match=sentence):
        misbehaving(tmp_path, deed).begin(task("bad")).outcome(lambda *_: None)


def test_a_strategy_that_hangs_is_ended_at_the_deadline_and_when_it_is_cancelled(
    tmp_path: Path,
) -> None:
    simulator = misbehaving(tmp_path, "time.sleep(60)")
    simulation = simulator.begin(task("bad"))
    timer = threading.Timer(1.5, simulation.cancel)
    timer.start()
    began_at = time.monotonic()
    with pytest.raises(DataError, match="was cancelled"):
        simulation.outcome(lambda *_: None)
    assert time.monotonic() - began_at < 30  # it sleeps for 60 s
    early = simulator.begin(task("bad"))
    threading.Timer(0.1, early.cancel).start()  # before the process is up
    began_at = time.monotonic()
    with pytest.raises(DataError, match="was cancelled"):
        early.outcome(lambda *_: None)
    assert time.monotonic() - began_at < 30
    never = simulator.begin(task("bad"))
    never.cancel()
    with pytest.raises(DataError, match="was cancelled"):
        never.outcome(lambda *_: None)
    short = BenchSimulator(lambda name: tmp_path / f"{name}.py", 0.5, 1024).begin(task("bad"))
    with pytest.raises(StrategyError, match="did not answer within"):
        short.outcome(lambda *_: None)


def test_a_bad_parameter_is_named_and_a_missing_file_is_not_found() -> None:
    bench = BenchSimulator(shipped, 60.0, 2048)
    with pytest.raises(ConfigError, match="period") as caught:
        bench.begin(task(period=0)).outcome(lambda *_: None)
    assert caught.value.field == "params.period"
    with pytest.raises(NotFound):
        bench.begin(task("nothing"))
