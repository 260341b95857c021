"""A run's arrays come back as they were kept, or it is said why not; nothing is half there."""

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from engine.adapters.backtests.result_files import ParquetResults
from engine.adapters.strategies.packing import SERIES, pack, unpack
from engine.domain.backtest import Leg, backtest
from engine.domain.backtests import BacktestResult, BacktestTerms, TradeTable
from engine.errors import NotFound, StoreError
from engine.ports import KeptResult, ResultFiles
from tests.fakes.backtests import MemoryResults
from tests.fakes.candles import random_candles
from tests.fakes.strategy_host import FakeStrategyHost

RUN = "0123456789abcdef"
HOST = FakeStrategyHost()


def found(count: int = 3000, *, is_open: bool = False) -> KeptResult:
    """What a strategy found on two symbols."""
    legs = []
    for seed, symbol in ((1, "BTC/USDT"), (2, "ETH/USDT")):
        candles = random_candles(count, seed, timeframe="1h")
        signals = HOST.signals("rsi", {"period": 7}, candles)
        if is_open:
            signals.enter_long[-2], signals.exit_long[-2:] = True, False
        legs.append(Leg(symbol, candles, signals))
    result = backtest(legs, BacktestTerms())
    return KeptResult(result, {leg.symbol: leg.candles for leg in legs})


def assert_same(one: BacktestResult, other: BacktestResult) -> None:
    """To the last digit."""
    for name in SERIES:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    for name in TradeTable.__slots__:
        kept, read = getattr(one.trades, name), getattr(other.trades, name)
        assert kept.dtype == read.dtype, name
        assert np.array_equal(kept, read), name
    for name in ("symbols", "timeframe", "starting_cash", "open_positions", "refused"):
        assert getattr(one, name) == getattr(other, name), name


@pytest.fixture(params=["parquet", "memory"])
def results(request: pytest.FixtureRequest, tmp_path: Path) -> ResultFiles:
    """Each implementation of the port."""
    if request.param == "memory":
        return MemoryResults()
    return ParquetResults(tmp_path / "backtests")


def test_a_result_comes_back_as_it_was_kept(results: ResultFiles) -> None:
    kept = found(is_open=True)
    assert len(kept.result.trades) > 10
    assert kept.result.open_positions
    results.write(RUN, kept)
    read = results.read(RUN)
    assert_same(kept.result, read.result)
    for symbol, candles in kept.candles.items():
        assert np.array_equal(read.candles[symbol].close, candles.close)
        assert read.candles[symbol].timeframe == "1h"


def test_a_second_write_replaces_the_first(results: ResultFiles) -> None:
    results.write(RUN, found(500))
    results.write(RUN, found(400))
    assert len(results.read(RUN).result.time) == 400


def test_a_run_without_trades_is_kept_too(results: ResultFiles) -> None:
    kept = found(5)
    assert len(kept.result.trades) == 0
    results.write(RUN, kept)
    assert_same(kept.result, results.read(RUN).result)


def test_what_is_deleted_is_not_found(results: ResultFiles) -> None:
    results.write(RUN, found(100))
    results.delete(RUN)
    results.delete(RUN)
    results.sweep()
    with pytest.raises(NotFound):
        results.read(RUN)


def test_a_name_from_outside_reaches_nothing(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    for name in ("../kept", "", ".", "a/b"):
        with pytest.raises(NotFound):
            ParquetResults(tmp_path / "backtests").delete(name)
    assert (tmp_path / "kept").is_dir()


def test_damaged_files_are_told(tmp_path: Path) -> None:
    results = ParquetResults(tmp_path)
    results.write(RUN, found(100))
    for path in (tmp_path / RUN).iterdir():
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        with pytest.raises(StoreError, match=r"cannot be read .*; run it again"):
            results.read(RUN)
        path.write_bytes(content)
    assert len(results.read(RUN).result.time) == 100


def test_a_full_disk_is_one_sentence_and_leaves_what_was_there(tmp_path: Path) -> None:
    results = ParquetResults(tmp_path)
    results.write(RUN, found(100))
    with no_file_over(2_000), pytest.raises(StoreError, match=r"Free some space and run it again"):
        results.write(RUN, found(3000))
    assert len(results.read(RUN).result.time) == 100
    assert [path.name for path in tmp_path.iterdir()] == [RUN]


def test_what_a_killed_engine_had_begun_is_swept_away(tmp_path: Path) -> None:
    (tmp_path / f"{RUN}.partial").mkdir()
    results = ParquetResults(tmp_path)
    results.sweep()
    assert list(tmp_path.iterdir()) == []


@contextmanager
def no_file_over(count: int) -> Iterator[None]:
    """The system refuses to write further into any file: what a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, former)


def test_a_result_crosses_between_processes_as_it_is() -> None:
    result = found(is_open=True).result
    header, body = pack(result)
    assert_same(result, unpack(header, body))


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header["bars"].update(time=1),
        lambda header: header["bars"].update(time=-1),
        lambda header: header.update(trades="many"),
        lambda header: header.pop("symbols"),
        lambda header: header.update(open_positions=[{"side": "up"}]),
        lambda header: header.update(bars=[]),
    ],
)
def test_a_header_that_does_not_fit_is_refused(change: object) -> None:
    header, body = pack(found(100).result)
    assert callable(change)
    change(header)
    with pytest.raises(ValueError, match=r"makes no sense|length it says|invalid literal|is not a"):
        unpack(header, body)
