"""Research without an engine: what the commands that only read files need of the adapters."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.adapters.strategies.loader import build, explain, load
from engine.domain.candles import Candles
from engine.domain.strategy import Signals, Strategy
from engine.errors import ConfigError, NotFound, StrategyError

KINDS = (".py", ".rules.json")


def load_strategy(folder: Path, strategy_id: str, params: Mapping[str, Any]) -> Strategy:
    """A strategy of ``folder`` with ``params``, in this process: the user's own code at the user's
    own command, with no engine and no keys about.

    Raises NotFound, StrategyError for a broken file, ConfigError naming a parameter.
    """
    files = {path.name: path for path in folder.iterdir()} if folder.is_dir() else {}
    found = [files[strategy_id + kind] for kind in KINDS if strategy_id + kind in files]
    if not found or strategy_id.startswith("_"):
        raise NotFound(f"There is no strategy '{strategy_id}' in {folder}.", field="strategy")
    try:
        return build(load(found[0]), params)
    except ConfigError:
        raise
    except Exception as error:
        words = explain(error, found[0])
        raise StrategyError(f"The strategy '{strategy_id}' cannot be used: {words}") from error


def judge_candles(folder: Path, strategy_id: str, strategy: Strategy, candles: Candles) -> Signals:
    """What the strategy says about every candle. Raises StrategyError for whatever goes wrong."""
    try:
        signals = strategy.signals(candles)
        signals.check(len(candles))
    except Exception as error:
        words = explain(error, folder / f"{strategy_id}.py")
        raise StrategyError(f"The strategy '{strategy_id}' failed: {words}") from error
    return signals
