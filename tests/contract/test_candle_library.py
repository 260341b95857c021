"""The candle library, on disk and in memory; and what only a disk can do: be full, be shared."""

import errno
import os
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from engine.adapters.candles.parquet_library import ParquetLibrary
from engine.adapters.market_data.replay import ReplayMarket, find_replays
from engine.domain.candle_sets import CandleSet
from engine.domain.candles import Candles
from engine.domain.instruments import InstrumentKind
from engine.domain.money import from_epoch_ms
from engine.errors import ConfigError, Conflict, NotFound, StoreError
from engine.links.candle_files import read_candle_file, read_candles
from engine.ports import CandleLibrary
from tests.fakes.candle_library import MemoryLibrary
from tests.support.candle_rows import MONDAY_MS, candles_of, without

BTC = CandleSet(symbol="BTC/USDT", timeframe="1h", source="ccxt:binance")
START = from_epoch_ms(MONDAY_MS)


@pytest.fixture(params=["parquet", "memory"])
def library(request: pytest.FixtureRequest, tmp_path: Path) -> CandleLibrary:
    if request.param == "memory":
        return MemoryLibrary()
    return ParquetLibrary(tmp_path / "candles")


def same(one: Candles, two: Candles) -> bool:
    columns = ("time", "open", "high", "low", "close", "volume")
    return one.timeframe == two.timeframe and all(
        np.array_equal(getattr(one, name), getattr(two, name)) for name in columns
    )


def test_what_is_merged_is_listed_and_read_to_the_last_digit(library: CandleLibrary) -> None:
    candles = candles_of([0.1 + 0.2, 1 / 3, 5e-324 + 64_250.1, 7.0])
    assert library.list() == []
    report = library.merge(BTC, candles)
    assert (report.added, report.same, report.conflicts) == (4, 0, 0)
    [entry] = library.list()
    assert entry == library.get("BTC-USDT.1h@ccxt-binance")
    assert (entry.about, entry.is_ours, entry.error) == (BTC, True, "")
    assert entry.span is not None
    assert (entry.span.rows, entry.span.first) == (4, START)
    assert (entry.span.coverage, entry.span.gap_count) == (1, 0)
    assert entry.size_bytes > 0
    assert same(library.read(entry.id), candles)


def test_a_part_is_read_by_its_times(library: CandleLibrary) -> None:
    library.merge(BTC, candles_of([1, 2, 3, 4]))
    hours = [START + timedelta(hours=hour) for hour in range(5)]
    assert list(library.read(BTC.id, hours[1], hours[3]).open) == [2, 3]
    assert list(library.read(BTC.id, since=hours[3]).open) == [4]
    assert list(library.read(BTC.id, until=hours[1]).open) == [1]
    assert len(library.read(BTC.id, hours[4])) == 0


def test_where_both_have_a_candle_the_newer_wins_and_is_counted(library: CandleLibrary) -> None:
    library.merge(BTC, candles_of([10, 11, 12]))
    later = candles_of([11, 99, 13], start_ms=MONDAY_MS + 3_600_000)
    report = library.merge(BTC, later)
    assert (report.added, report.same, report.conflicts) == (1, 1, 1)
    assert report.conflict_times == (START + timedelta(hours=2),)
    assert list(library.read(BTC.id).open) == [10, 11, 99, 13]


def test_earlier_candles_and_those_of_a_gap_find_their_place(library: CandleLibrary) -> None:
    whole = candles_of(range(10, 20))
    library.merge(BTC, without(whole, 0, 1, 5, 6))
    entry = library.get(BTC.id)
    assert entry.span is not None
    assert (entry.span.missing, entry.span.gap_count) == (2, 1)
    assert entry.span.coverage == pytest.approx(6 / 8)
    [gap] = entry.span.gaps
    assert (gap.since, gap.missing) == (START + timedelta(hours=5), 2)
    assert library.merge(BTC, whole).added == 4
    assert same(library.read(BTC.id), whole)


def test_merging_again_changes_nothing(library: CandleLibrary) -> None:
    library.merge(BTC, candles_of([1, 2]))
    before = library.get(BTC.id)
    report = library.merge(BTC, candles_of([1, 2]))
    assert (report.added, report.same) == (0, 2)
    assert library.get(BTC.id) == before


def test_sources_and_kinds_never_mix(library: CandleLibrary) -> None:
    library.merge(BTC, candles_of([1, 2]))
    library.merge(BTC.model_copy(update={"source": "import"}), candles_of([7, 8]))
    assert [one.id for one in library.list()] == ["BTC-USDT.1h", "BTC-USDT.1h@ccxt-binance"]
    with pytest.raises(Conflict):
        library.merge(BTC.model_copy(update={"prices": "adjusted"}), candles_of([1, 2]))
    with pytest.raises(ConfigError, match="5m candles do not belong"):
        library.merge(BTC, candles_of([1, 2], "5m"))
    assert list(library.read(BTC.id).open) == [1, 2]


def test_what_is_deleted_is_gone(library: CandleLibrary) -> None:
    library.merge(BTC, candles_of([1, 2]))
    library.delete(BTC.id)
    assert library.list() == []
    for act in (library.get, library.read, library.delete):
        with pytest.raises(NotFound, match="no candles"):
            act(BTC.id)


# --- on disk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "candles"


def test_a_set_is_a_replay_market_and_a_backtests_candles(folder: Path) -> None:
    about = CandleSet(symbol="IBM", timeframe="1d", source="yahoo", kind=InstrumentKind.STOCK)
    candles = candles_of([100.25, 101.5, 102.125], "1d")
    ParquetLibrary(folder).merge(about, candles)
    [market_id] = find_replays(folder)
    market = ReplayMarket(market_id)
    [instrument] = market.instruments()
    assert (instrument.symbol, instrument.kind) == ("IBM", InstrumentKind.STOCK)
    by_id, read = read_candles("IBM.1d@yahoo", folder)
    assert by_id == instrument
    assert same(read, candles)
    with pytest.raises(NotFound, match="no candle file"):
        read_candles("../IBM.1d", folder)


def test_a_persons_own_files_are_listed_and_never_written(folder: Path) -> None:
    folder.mkdir()
    text = "timestamp,open,high,low,close,volume\n"
    rows = "".join(f"2026-03-02T0{hour}:00:00Z,1,2,1,2,5\n" for hour in (0, 1, 3))
    (folder / "BTC-USDT.1h.csv").write_text(text + rows)
    (folder / "ETH-USDT.1h.csv").write_text(text + "2026-03-02T00:00:00Z,1,2,-1,2,5\n" * 2)
    (folder / "notes.txt").write_text("mine")
    (folder / "my candles.csv").write_text(text)
    table = pa.table({name: [1.0, 2.0] for name in ("open", "high", "low", "close", "volume")})
    stamps = pa.array([MONDAY_MS, MONDAY_MS + 3_600_000], pa.timestamp("ms", "UTC"))
    parquet.write_table(table.append_column("timestamp", stamps), folder / "BTC-USDT.1h.parquet")
    library = ParquetLibrary(folder)
    mine, broken = library.get("BTC-USDT.1h~csv"), library.get("ETH-USDT.1h~csv")
    assert [one.id for one in library.list()] == [
        "BTC-USDT.1h", "BTC-USDT.1h~csv", "ETH-USDT.1h~csv", "my candles~csv"
    ]  # fmt: skip
    assert "name is not like" in library.get("my candles~csv").error
    assert mine.span is not None
    assert (mine.is_ours, mine.span.missing) == (False, 1)
    assert broken.span is None
    assert "row before" in broken.error
    with pytest.raises(Conflict, match="left alone"):
        library.merge(BTC.model_copy(update={"source": "import"}), candles_of([1, 2]))


def test_a_half_written_file_is_an_error_and_not_nothing(folder: Path) -> None:
    library = ParquetLibrary(folder)
    library.merge(BTC, candles_of([1, 2]))
    path = Path(library.get(BTC.id).path)
    path.write_bytes(path.read_bytes()[:-20])
    assert "cannot be read" in library.get(BTC.id).error
    with pytest.raises(ConfigError, match="cannot be read"):
        library.merge(BTC, candles_of([3, 4]))


class FullFile:
    """A file whose disk is full after the first bytes."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "FullFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def write(self, data: bytes) -> int:
        """Takes a little, then refuses."""
        self._file.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_old_set_and_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = ParquetLibrary(folder)
    library.merge(BTC, candles_of([1, 2]))
    usual = Path.open

    def full(path: Path, mode: str = "r", *more: Any, **options: Any) -> Any:
        file = usual(path, mode, *more, **options)
        return FullFile(file) if "w" in mode else file

    monkeypatch.setattr(Path, "open", full)
    with pytest.raises(StoreError, match=r"disk is full.*untouched"):
        library.merge(BTC, candles_of([1, 2, 3]))
    monkeypatch.undo()
    assert list(library.read(BTC.id).open) == [1, 2]
    assert [path.name for path in folder.iterdir()] == [f"{BTC.id}.parquet"]
    assert library.merge(BTC, candles_of([1, 2, 3])).added == 1


def is_mounted(mount: str, folder: Path) -> bool:
    """Whether a disk of 64 kB is there now; only root on Linux may do that."""
    words = [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    return not subprocess.run(words, check=False, capture_output=True).returncode


def test_a_really_full_disk_leaves_the_old_set(tmp_path: Path) -> None:
    mounted = tmp_path / "small"
    mounted.mkdir()
    mount, umount = (shutil.which(name) for name in ("mount", "umount"))
    if mount is None or umount is None or not is_mounted(mount, mounted):
        pytest.skip("only root on Linux may mount a small disk; the test above fakes one")
    try:
        library = ParquetLibrary(mounted)
        library.merge(BTC, candles_of(range(10, 60)))
        noise = np.random.default_rng(7).random(20_000) + 5
        with pytest.raises(StoreError, match="disk is full"):
            library.merge(BTC, candles_of(list(noise)))
        assert list(library.read(BTC.id).open) == list(range(10, 60))
        assert [path.name for path in mounted.iterdir()] == [f"{BTC.id}.parquet"]
    finally:
        subprocess.run([umount, str(mounted)], check=True)


def test_another_program_that_writes_at_the_same_moment_loses_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, shell = ParquetLibrary(folder), ParquetLibrary(folder)
    engine.merge(BTC, candles_of([1, 2]))
    usual = os.fsync

    def while_somebody_writes(descriptor: int) -> None:
        usual(descriptor)
        monkeypatch.setattr(os, "fsync", usual)
        shell.merge(BTC, candles_of([3], start_ms=MONDAY_MS + 2 * 3_600_000))

    monkeypatch.setattr(os, "fsync", while_somebody_writes)
    assert engine.merge(BTC, candles_of([4], start_ms=MONDAY_MS + 3 * 3_600_000)).added == 1
    assert list(engine.read(BTC.id).open) == [1, 2, 3, 4]
    monkeypatch.setattr("engine.adapters.candles.parquet_library.TRIES", 0)
    with pytest.raises(Conflict, match="keeps writing"):
        engine.merge(BTC, candles_of([5]))


def test_a_list_reads_no_candles(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = ParquetLibrary(folder)
    library.merge(BTC, candles_of([1, 2]))

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("the candles were read")

    monkeypatch.setattr(parquet, "read_table", fail)
    assert library.list()[0].span is not None
    monkeypatch.undo()
    assert len(read_candle_file(Path(library.get(BTC.id).path)).candles) == 2
