"""``python -m engine.domain.compiled``: compile what numba compiles, once, into its cache on disk.

Every process that comes before the cache is there compiles for itself, which takes some ten
seconds; afterwards it is a matter of milliseconds.
"""

from decimal import Decimal

import numpy as np

from engine.domain.backtest import Leg, backtest
from engine.domain.backtests import BacktestTerms
from engine.domain.bots import ExitRules
from engine.domain.candles import Candles
from engine.domain.exact_backtest import exact_backtest
from engine.domain.scores import Ruler
from engine.domain.strategy import Signals


def compile_ahead() -> None:
    """Run each compiled function on a few candles, with the types that it is called with."""
    price = np.array([100.0, 101.0, 102.0, 101.0, 100.0])
    time_ms = 60_000 * np.arange(len(price), dtype=np.int64)
    candles = Candles("1m", time_ms, price, price, price, price, np.zeros(len(price)))
    enter = np.array([True, False, False, True, False])
    signals = Signals(enter, ~enter, np.zeros_like(enter), np.zeros_like(enter))
    leg = Leg("ABC/USDT", candles, signals)
    for trailing in (None, Decimal("0.1")):
        exits = ExitRules(stop_loss=None, take_profit=None, trailing_stop=trailing)
        terms = BacktestTerms(price_tick=Decimal(1), quantity_step=Decimal(1), exits=exits)
        result = backtest([leg], terms)
        exact_backtest(leg, terms)
        Ruler(result).scores(result)


if __name__ == "__main__":
    compile_ahead()
