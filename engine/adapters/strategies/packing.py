"""A backtest's result as bytes: a JSON header and the arrays behind one another.

What comes back from a process in which strategy code ran is taken apart without running anything
(no pickles), and is checked to be what it should.
"""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.domain.backtests import BacktestResult, OpenPosition, TradeTable
from engine.domain.candles import FloatArray, IntArray
from engine.domain.positions import PositionSide

Array = FloatArray | IntArray
SERIES = ("time", "close", "equity")
INTS = frozenset(
    {"time", "symbol", "side", "entry_index", "exit_index", "entry_ms", "exit_ms", "entry_count",
     "reason"}
)  # fmt: skip
ITEM_BYTES = 8


def pack(result: BacktestResult) -> tuple[dict[str, Any], bytes]:
    """Header and arrays: the three of the bars, then the columns of the trades."""
    arrays = [_as_bytes(name, getattr(result, name)) for name in SERIES]
    arrays += [_as_bytes(name, getattr(result.trades, name)) for name in TradeTable.__slots__]
    header = {
        "symbols": list(result.symbols),
        "timeframe": result.timeframe,
        "starting_cash": result.starting_cash,
        "bars": {name: len(getattr(result, name)) for name in SERIES},
        "trades": len(result.trades),
        "open_positions": [asdict(one) for one in result.open_positions],
        "refused": dict(result.refused),
    }
    return header, b"".join(arrays)


def unpack(header: dict[str, Any], body: bytes) -> BacktestResult:
    """What ``pack`` packed. Raises ValueError for anything else."""
    try:
        bars = {name: int(header["bars"][name]) for name in SERIES}
        trades = int(header["trades"])
        if min(trades, *bars.values()) < 0 or len(body) != packed_bytes(bars.values(), trades):
            raise ValueError("its arrays do not have the length it says")
        parts: dict[str, Any] = {}
        at = 0
        for name in SERIES:
            parts[name], at = _taken(name, body, at, bars[name])
        columns: dict[str, Any] = {}
        for name in TradeTable.__slots__:
            columns[name], at = _taken(name, body, at, trades)
        return BacktestResult(
            symbols=tuple(str(one) for one in header["symbols"]),
            timeframe=str(header["timeframe"]),
            starting_cash=float(header["starting_cash"]),
            trades=TradeTable(**columns),
            open_positions=tuple(_open_position(one) for one in header["open_positions"]),
            refused={str(reason): int(count) for reason, count in header["refused"].items()},
            **parts,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its header makes no sense ({error})") from error


def packed_bytes(series: Iterable[int], trades: int) -> int:
    """How many bytes series of these lengths and so many trades take."""
    return ITEM_BYTES * (sum(series) + len(TradeTable.__slots__) * trades)


def _as_bytes(name: str, array: Array) -> bytes:
    return np.ascontiguousarray(array, dtype=_kind(name)).tobytes()


def _taken(name: str, body: bytes, at: int, count: int) -> tuple[NDArray[Any], int]:
    array = np.frombuffer(body, dtype=_kind(name), count=count, offset=at)
    return array, at + count * ITEM_BYTES


def _kind(name: str) -> str:
    return "<i8" if name in INTS else "<f8"


def _open_position(values: dict[str, Any]) -> OpenPosition:
    return OpenPosition(**{**values, "side": PositionSide(values["side"])})
