"""Candle files of other programs: each known format, made by hand, read to the last digit."""

from pathlib import Path

import numpy as np
import pytest

from engine.adapters.candles import text_reader
from engine.adapters.candles.text_formats import FORMATS
from engine.adapters.candles.text_reader import TextReader
from engine.domain.candle_checks import NO_TIME
from engine.errors import ConfigError
from engine.ports import ReadTable
from engine.services.candle_imports import guess

T0, T1 = 1_767_312_000_000, 1_767_315_600_000  # 2026-01-02 00:00 and 01:00
OPENS = [0.1 + 0.2, 0.09828605]

FILES = {
    "metatrader5": (
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
        "2026.01.02\t00:00:00\t0.30000000000000004\t1\t0.01\t0.2\t7\t0\t3\n"
        "2026.01.02\t01:00:00\t0.09828605\t1\t0.01\t0.2\t8\t0\t3\n"
    ),
    "metatrader4": (
        "2026.01.02,00:00,0.30000000000000004,1,0.01,0.2,7\n"
        "2026.01.02,01:00,0.09828605,1,0.01,0.2,8\n"
    ),
    "yahoo": (
        "Date,Open,High,Low,Close,Adj Close,Volume\n"
        "2026-01-02,0.30000000000000004,1,0.01,0.2,0.19,7\n"
        "2026-01-02T01:00,0.09828605,1,0.01,0.2,0.19,8\n"
    ),
    "binance": (
        "open_time,open,high,low,close,volume,close_time,quote_volume\n"
        f"{T0},0.30000000000000004,1,0.01,0.2,7,{T1 - 1},1\n"
        f"{T1},0.09828605,1,0.01,0.2,8,{T1 + 3_599_999},1\n"
    ),
    "binance_klines": (
        f"{T0}000,0.30000000000000004,1,0.01,0.2,7,{T1}000,1,2,3,4,0\n"
        f"{T1}000,0.09828605,1,0.01,0.2,8,{T1}999,1,2,3,4,0\n"
    ),
    "two_columns": (
        "Date;Time;Open;High;Low;Close;Volume\n"
        "2026/01/02;00:00;0.30000000000000004;1;0.01;0.2;7\n"
        "2026/01/02;01:00;0.09828605;1;0.01;0.2;8\n"
    ),
    "tradingview": (
        "time,open,high,low,close,EMA,Volume\n"
        f"{T0 // 1000},0.30000000000000004,1,0.01,0.2,NaN,7\n"
        f"{T1 // 1000},0.09828605,1,0.01,0.2,0.5,8\n"
    ),
    "plain": (
        "# made by hand\n\nDatetime, Open, High, Low, Close, Volume\n"
        "2026-01-02 02:00:00+02:00, 0.30000000000000004, 1, 0.01, 0.2, 7\n"
        "2026-01-02 03:00:00+02:00, 0.09828605, 1, 0.01, 0.2, 8\n"
    ),
    "short": (
        "t,o,h,l,c,v\n"
        f"{T0},0.30000000000000004,1,0.01,0.2,7\n{T1},0.09828605,1,0.01,0.2,8\n"
    ),
    "no_header": (
        "20260102 000000;0.30000000000000004;1;0.01;0.2;7\n"
        "20260102 010000;0.09828605;1;0.01;0.2;8\n"
    ),
}  # fmt: skip


def read(folder: Path, content: str | bytes) -> ReadTable:
    path = folder / "upload"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return TextReader().read(path)


def test_every_format_of_the_table_is_tried_here() -> None:
    assert set(FILES) == {one.name for one in FORMATS}


@pytest.mark.parametrize("name", list(FILES))
def test_a_format_is_known_and_read_exactly(tmp_path: Path, name: str) -> None:
    table = read(tmp_path, FILES[name])
    assert table.format == name
    assert list(table.raw.time) == [T0, T1]
    assert list(table.raw.open) == OPENS
    assert (list(table.raw.high), list(table.raw.low)) == ([1, 1], [0.01, 0.01])
    assert (list(table.raw.close), list(table.raw.volume)) == ([0.2, 0.2], [7, 8])
    head = FILES[name].splitlines().index(next(
        line for line in FILES[name].splitlines() if "0.30000000000000004" in line
    ))  # fmt: skip
    assert list(table.raw.line) == [head + 1, head + 2]


def test_utf_16_as_metatrader_writes_it_is_read(tmp_path: Path) -> None:
    table = read(tmp_path, FILES["metatrader5"].replace("\n", "\r\n").encode("utf-16"))
    assert list(table.raw.time) == [T0, T1]
    assert any("broker" in note for note in table.notes)


def test_what_is_assumed_is_said(tmp_path: Path) -> None:
    table = read(tmp_path, "date,open,high,low,close\n2026-01-02,1,1,1,1\n2026-01-03,1,1,1,1\n")
    assert list(table.raw.volume) == [0, 0]
    assert any("no volume" in note for note in table.notes)
    assert any("taken as UTC" in note for note in table.notes)


def test_a_cell_that_cannot_be_read_is_kept_as_it_was_written(tmp_path: Path) -> None:
    table = read(
        tmp_path,
        "time,open,high,low,close,volume\n2026-01-02,1,1,1,1,5\n\nsoon,one,,null,1,5\n",
    )
    assert list(table.raw.line) == [2, 4]
    assert table.raw.time[1] == NO_TIME
    assert np.isnan([table.raw.open[1], table.raw.high[1], table.raw.low[1]]).all()
    assert [table.raw.cell(1, name) for name in ("time", "open", "low")] == ["soon", "one", "null"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no line of five"),
        ("just words\nand more\n", "no line of five"),
        ("a,b,c,d,e,f\n1,2,3,4,5,6\n", "first columns are: a, b, c, d, e, f"),
        ("open,high,low,close,volume\n1,1,1,1,1\n", "no column for: time"),
        ("date,open,high,low,close\n01/02/2026,1,1,1,1\n", "could be of two days"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe\x00\x01", "is not text"),
        ("time,open,high,low,close\n2026-01-02,1,1,1,1,9,9,9\n2026-01-03,1,1\n", "more columns"),
        ("time,open,high,low,close\n2026-01-02,1,1,1,1\n2026-01-03,1,1,1,1,7\n", "cannot be read"),
        ("1,2,3,4,5,6,7,8,9\n", "first values are: 1, 2"),
    ],
)  # fmt: skip
def test_what_is_no_candle_file_is_refused_in_a_sentence(
    tmp_path: Path, content: str | bytes, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        read(tmp_path, content)


@pytest.mark.parametrize("name", [name for name in FILES if name != "metatrader5"])
def test_both_ways_read_the_same(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = read(tmp_path, FILES[name])
    monkeypatch.setattr(text_reader, "_plain_table", lambda *_: None)
    slow = read(tmp_path, FILES[name])
    for column in ("time", "open", "high", "low", "close", "volume", "line"):
        assert getattr(fast.raw, column).tolist() == getattr(slow.raw, column).tolist(), column
    assert fast.raw.cell(1, "close") == slow.raw.cell(1, "close")


@pytest.mark.parametrize(
    ("name", "symbol", "timeframe"),
    [
        ("ETH-BTC.5m.csv", "ETH/BTC", "5m"),
        ("BTCUSDT-1h-2024-01.csv", "BTC/USDT", "1h"),
        ("BINANCE_ethusdt_4h.csv", "", "4h"),
        ("EURUSD.csv", "EUR/USD", None),
        ("IBM.1d.csv", "IBM", "1d"),
        ("AAPL.csv", "AAPL", None),
        ("some candles of mine.csv", "", None),
        ("", "", None),
    ],
)
def test_what_a_name_tells(name: str, symbol: str, timeframe: str | None) -> None:
    assert guess(name) == (symbol, timeframe)


def test_days_of_metatrader_have_no_time(tmp_path: Path) -> None:
    head = "<DATE>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\n"
    rows = "2026.01.02\t1\t2\t0.5\t1.5\t7\n2026.01.05\t1\t2\t0.5\t1.5\t7\n"
    assert list(read(tmp_path, head + rows).raw.time) == [T0, T0 + 3 * 86_400_000]
