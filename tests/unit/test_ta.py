"""A strategy worker starts without what TA-Lib alone would load."""

import subprocess
import sys

from tooling.place import ROOT

LOOK = """
import sys
import engine.adapters.strategies.worker
loaded = {"pandas", "pyarrow", "numba"} & set(sys.modules)
import pandas
from engine.domain.ta import talib
print(sorted(loaded), talib.SMA(pandas.Series([1.0, 2.0, 3.0]).to_numpy(), 2)[-1])
"""


def test_a_worker_loads_no_pandas_and_a_strategy_still_may() -> None:
    command = [sys.executable, "-c", LOOK]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[0] == "[] 2.5"
