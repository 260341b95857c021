"""``ports.ResultFiles`` as Parquet: a folder a run, that is there whole or not at all."""

import json
import os
import re
import shutil
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.domain.backtests import BacktestResult, OpenPosition, TradeTable
from engine.domain.candles import Candles
from engine.domain.positions import PositionSide
from engine.errors import NotFound, StoreError
from engine.ports import KeptResult

if TYPE_CHECKING:
    import pyarrow as pa

RUN_ID = re.compile(r"[0-9a-f]{8,64}")
EQUITY, CLOSE, TRADES = "equity.parquet", "close.parquet", "trades.parquet"
HEADER = "result.json"
CANDLE_COLUMNS = ("time", "open", "high", "low", "close", "volume")
PARTIAL = ".partial"


class ParquetResults:
    """Results in ``folder``/RUN_ID; readable by anything that reads Parquet."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, run_id: str, kept: KeptResult) -> None:
        """All files into a folder apart, which takes its name once the disk has them all.

        Raises StoreError; then nothing is left of it.
        """
        target = self._place(run_id)
        partial = target.with_name(f"{run_id}{PARTIAL}")
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            _write_all(partial, kept)
            shutil.rmtree(target, ignore_errors=True)
            partial.replace(target)
            _sync(self._folder)
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            raise StoreError(
                f"The result could not be written to {self._folder}:"
                f" {error.strerror or error}. Free some space and run it again."
            ) from error

    def read(self, run_id: str) -> KeptResult:
        """Raises NotFound, StoreError."""
        folder = self._place(run_id)
        if not folder.is_dir():
            raise NotFound("The files of this backtest are gone; run it again.", field="id")
        try:
            return _read_all(folder)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"The files of this backtest in {folder} cannot be read ({error}); run it again."
            ) from error

    def delete(self, run_id: str) -> None:
        """Remove them, if there are any. Raises StoreError."""
        folder = self._place(run_id)
        try:
            with suppress(FileNotFoundError):
                shutil.rmtree(folder)
        except OSError as error:
            raise StoreError(f"{folder} cannot be removed: {error.strerror or error}.") from error

    def sweep(self) -> None:
        """Remove what an engine that was killed had begun to write."""
        for folder in self._folder.glob(f"*{PARTIAL}"):
            shutil.rmtree(folder, ignore_errors=True)

    def _place(self, run_id: str) -> Path:
        if not RUN_ID.fullmatch(run_id):
            raise NotFound(f"There is no backtest '{run_id}'.", field="id")
        return self._folder / run_id


def _write_all(folder: Path, kept: KeptResult) -> None:
    import pyarrow as pa

    result = kept.result
    _write(folder / EQUITY, pa.table({"time": result.time, "equity": result.equity}))
    _write(folder / CLOSE, pa.table({"close": result.close}))
    columns = {name: getattr(result.trades, name) for name in TradeTable.__slots__}
    _write(folder / TRADES, pa.table(columns))
    for number, candles in enumerate(kept.candles.values()):
        table = pa.table({name: getattr(candles, name) for name in CANDLE_COLUMNS})
        _write(folder / f"candles-{number}.parquet", table)
    header = {
        "symbols": result.symbols,
        "timeframe": result.timeframe,
        "starting_cash": result.starting_cash,
        "open_positions": [asdict(one) for one in result.open_positions],
        "refused": dict(result.refused),
        "candles": {symbol: candles.timeframe for symbol, candles in kept.candles.items()},
    }
    with (folder / HEADER).open("w", encoding="utf-8") as file:
        json.dump(header, file, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())


def _write(path: Path, table: "pa.Table") -> None:
    import pyarrow.parquet as pq

    with path.open("wb") as file:
        pq.write_table(table, file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Make the new name last; Windows keeps no such thing."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_all(folder: Path) -> KeptResult:
    header = json.loads((folder / HEADER).read_text("utf-8"))
    equity, trades = _read(folder / EQUITY), _read(folder / TRADES)
    result = BacktestResult(
        symbols=tuple(header["symbols"]),
        timeframe=header["timeframe"],
        starting_cash=header["starting_cash"],
        trades=TradeTable(**{name: trades[name] for name in TradeTable.__slots__}),
        open_positions=tuple(
            OpenPosition(**{**one, "side": PositionSide(one["side"])})
            for one in header["open_positions"]
        ),
        refused=header["refused"],
        time=equity["time"],
        equity=equity["equity"],
        close=_read(folder / CLOSE)["close"],
    )
    candles = {}
    for number, (symbol, timeframe) in enumerate(header["candles"].items()):
        columns = _read(folder / f"candles-{number}.parquet")
        candles[symbol] = Candles(timeframe, *(columns[name] for name in CANDLE_COLUMNS))
    return KeptResult(result, candles)


def _read(path: Path) -> dict[str, Any]:
    import pyarrow.parquet as pq

    table = pq.ParquetFile(path).read()
    return {name: np.asarray(table[name].to_numpy()) for name in table.column_names}
