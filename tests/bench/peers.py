"""The same two strategies by a peer, run by ``test_backtest_speed`` in an environment of its own.

``peers.py PEER CANDLES.npz TASK`` prints JSON: the seconds of the second of two runs (the first one
compiles), and the trades as [entry bar, exit bar, entry price, exit price]. Imports nothing of
Quarterdeck. A task is ``cross``, ``rsi`` or ``sweep``.
"""

import json
import sys
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")

FEE = 0.001
CASH = 1e9  # one unit a trade: only bars and prices are compared
FAST, SLOW = 20, 50
PERIOD, OVERSOLD, OVERBOUGHT = 14, 30, 70
STOP, TARGET = 0.02, 0.05
GRID_FAST, GRID_SLOW = range(5, 45, 2), range(50, 250, 10)  # 20 x 20


def frame(path: str) -> pd.DataFrame:
    """The candles as peers want them."""
    arrays = np.load(path)
    index = pd.to_datetime(arrays["time"], unit="ms", utc=True)
    columns = {name.title(): arrays[name] for name in ("open", "high", "low", "close", "volume")}
    return pd.DataFrame(columns, index=index)


def wilder(close: np.ndarray) -> np.ndarray:
    """RSI with Wilder's smoothing, seeded with simple averages."""
    import talib

    return talib.RSI(close, PERIOD)


def average(values: Any, period: int) -> Any:
    """A simple moving average."""
    import talib

    return talib.SMA(np.asarray(values, dtype=float), period)


def cross_of_backtesting() -> Any:
    """The crossing of two averages, for backtesting.py."""
    from backtesting import Strategy

    class Cross(Strategy):
        fast, slow = FAST, SLOW

        def init(self) -> None:
            self.a = self.I(average, self.data.Close, self.fast)
            self.b = self.I(average, self.data.Close, self.slow)

        def next(self) -> None:
            if np.isnan(self.b[-2]):
                return
            if self.a[-1] > self.b[-1] and not self.a[-2] > self.b[-2] and not self.position:
                self.buy(size=1)
            elif self.a[-1] < self.b[-1] and not self.a[-2] < self.b[-2]:
                self.position.close()

    return Cross


def rsi_of_backtesting(opens: np.ndarray) -> Any:
    """The RSI with levels reckoned from the open at which an order will fill."""
    from backtesting import Strategy

    class Rsi(Strategy):
        def init(self) -> None:
            self.r = self.I(wilder, self.data.Close)

        def next(self) -> None:
            i = len(self.data)
            if self.r[-1] < OVERSOLD and not self.position and i < len(opens):
                entry = opens[i]
                self.buy(size=1, sl=entry * (1 - STOP), tp=entry * (1 + TARGET))
            elif self.r[-1] > OVERBOUGHT:
                self.position.close()

    return Rsi


def backtesting_py(candles: pd.DataFrame, task: str) -> Any:
    """backtesting.py; an order fills at the next open."""
    from backtesting import Backtest

    is_rsi = task == "rsi"
    chosen = rsi_of_backtesting(candles["Open"].to_numpy()) if is_rsi else cross_of_backtesting()
    test = Backtest(candles, chosen, cash=CASH, commission=FEE)
    if task == "sweep":
        for fast in GRID_FAST:
            for slow in GRID_SLOW:
                test.run(fast=fast, slow=slow)
        return []
    trades = test.run()._trades
    columns = ("EntryBar", "ExitBar", "EntryPrice", "ExitPrice")
    return trades[list(columns)].to_numpy().tolist()


def vectorbt(candles: pd.DataFrame, task: str) -> Any:
    """vectorbt; signals are shifted by a bar and filled at its open."""
    import vectorbt as vbt

    close, opened = candles["Close"], candles["Open"]
    more: dict[str, Any] = {}
    if task == "rsi":
        index = pd.Series(wilder(close.to_numpy()), index=close.index)
        entries, exits = index < OVERSOLD, index > OVERBOUGHT
        more = {
            "open": opened,
            "high": candles["High"],
            "low": candles["Low"],
            "sl_stop": STOP,
            "tp_stop": TARGET,
            "stop_entry_price": "fillprice",
            "stop_exit_price": "stopmarket",
        }
    else:
        grid = [(FAST, SLOW)]
        if task == "sweep":
            grid = [(fast, slow) for fast in GRID_FAST for slow in GRID_SLOW]
        fast = vbt.MA.run(close, [one for one, _ in grid], short_name="fast")
        slow = vbt.MA.run(close, [one for _, one in grid], short_name="slow")
        entries, exits = fast.ma_crossed_above(slow), fast.ma_crossed_below(slow)
    entries, exits = entries.vbt.fshift(1), exits.vbt.fshift(1)
    book = vbt.Portfolio.from_signals(
        close, entries, exits, price=opened, fees=FEE, init_cash=CASH, freq="1min", **more
    )
    if task == "sweep":
        book.total_return()
        return []
    records = book.trades.records
    records = records[records["status"] == 1]
    return records[["entry_idx", "exit_idx", "entry_price", "exit_price"]].to_numpy().tolist()


def main() -> None:
    """Twice; the second one is timed."""
    peer, path, task = sys.argv[1:]
    candles, run = frame(path), {"backtesting": backtesting_py, "vectorbt": vectorbt}[peer]
    if peer == "vectorbt":
        run(candles, task)  # compiles
    begun = time.perf_counter()
    trades = run(candles, task)
    print(json.dumps({"s": time.perf_counter() - begun, "trades": trades}))


if __name__ == "__main__":
    main()
