"""TA-Lib without pandas, and with it where somebody brings one along."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ARRAYS = """
import sys
import numpy as np
from engine.domain.ta_lib import talib
closes = np.array([1.0, 2.0, 3.0, 4.0])
mean = talib.SMA(closes, timeperiod=2)
assert type(mean) is np.ndarray and list(mean[1:]) == [1.5, 2.5, 3.5], mean
"""
NONE_LOADED = """
assert "pandas" not in sys.modules and "pyarrow" not in sys.modules
"""
SERIES = """
import pandas as pd
from talib import abstract
series = pd.Series(closes, index=list("abcd"))
mean = talib.SMA(series, timeperiod=2)
assert type(mean) is pd.Series and list(mean.index) == list("abcd") and mean["d"] == 3.5, mean
upper, middle, lower = talib.BBANDS(real=series, timeperiod=2)
assert type(upper) is type(lower) is pd.Series and middle["d"] == 3.5, middle
mean = abstract.SMA(pd.DataFrame({"close": series}), timeperiod=2)
assert type(mean) is pd.Series and mean["d"] == 3.5, mean
assert type(talib.SMA(closes, timeperiod=2)) is np.ndarray
"""


def run(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_no_pandas_is_loaded_and_its_series_are_taken_when_it_is() -> None:
    run(ARRAYS + NONE_LOADED + SERIES)


def test_pandas_that_was_there_before_is_as_good() -> None:
    run("import pandas\n" + ARRAYS + SERIES)


def test_a_strategy_worker_starts_without_what_its_strategies_may_not_need() -> None:
    run(
        "import sys, engine.adapters.strategies.worker\n"
        "assert not {'pandas', 'pyarrow', 'numba'} & set(sys.modules)"
    )
