"""Reading is fast and exact: every cell is the float that Python itself makes of its text."""

import csv
import math
import random
import struct
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ConfigError
from engine.links import candle_columns
from engine.links.candle_columns import NUMBERS, read_columns
from tests.fakes.candles import candle_files
from tests.support.market import eth_btc

HEAD = "timestamp,open,high,low,close,volume\n"
HARD = [
    "0.1", "0.30000000000000004", "2.2250738585072011e-308", "2.2250738585072014e-308",
    "4.9406564584124654e-324", "1.7976931348623157e308", "9007199254740993", "9007199254740992.5",
    "0.500000000000000166533453693773481063544750213623046875",
    "0.500000000000000111022302462515654042363166809082031250",
    "3.518437208883201171875e13", "62.5364939768271845828", "8.10109172351e-10",
    "1.50000000000000011", "4409955.2599999998", "1E5", "1e-7", "123456789012345678901234567890",
    ".5", "5.",
]  # fmt: skip
"""Decimals half way between two floats, at the ends of their range, and in every notation."""


def by_python(path: Path) -> dict[str, list[float]]:
    """The columns by Python's own float()."""
    with path.open(encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    return {name: [float(row[head.index(name)]) for row in rows] for name in NUMBERS}


def is_fast(path: Path) -> bool:
    return candle_columns._fast_csv(path) is not None


def test_real_candles_are_read_to_the_last_bit(tmp_path: Path) -> None:
    for path in {*candle_files(), eth_btc(tmp_path)}:
        columns = read_columns(path)
        assert is_fast(path), path.name
        for name, numbers in by_python(path).items():
            assert columns.numbers[name].tolist() == numbers, f"{path.name}: {name}"


def test_decimals_made_to_be_misread_are_read_right(tmp_path: Path) -> None:
    chance = random.Random(7)
    floats = (
        struct.unpack("<d", struct.pack("<Q", chance.getrandbits(63)))[0] for _ in range(3000)
    )
    cells = HARD + [repr(one) for one in floats if math.isfinite(one)]
    cells += [f"{chance.random() * 10**chance.randint(-9, 9):.{chance.randint(0, 25)}f}"
              for _ in range(3000)]  # fmt: skip
    path = tmp_path / "X.1m.csv"
    path.write_text(
        HEAD + "".join(f"{60 * row},{cell},1,1,1,0\n" for row, cell in enumerate(cells))
    )
    assert is_fast(path)
    read = read_columns(path).numbers["open"].tolist()
    assert [struct.pack("<d", one) for one in read] == [
        struct.pack("<d", float(cell)) for cell in cells
    ]


@pytest.mark.parametrize(
    ("stamps", "fast"),
    [
        (["2026-03-02T00:00:00Z", "2026-03-02T00:01:00Z"], True),
        (["2026-03-02 00:00:00+00:00", "2026-03-02 02:01:00+02:00"], True),
        (["2026-03-02 00:00", "2026-03-02 00:01"], True),
        (["2026-03-02T00:00:00.000Z", "2026-03-02T00:01:00.000Z"], True),
        (["1772409600", "1772409660"], True),
        (["1772409600000", "1772409660000"], True),
        (["1772409600.0", "1.77240966e9"], True),
        (["2026-03-02T00:00:00.000000000Z", "2026-03-02T00:01:00.000000000Z"], False),
        (["1_772_409_600", "1_772_409_660"], False),
    ],
)
def test_times_are_read_in_every_notation(tmp_path: Path, stamps: list[str], fast: bool) -> None:
    path = tmp_path / "X.1m.csv"
    path.write_text(HEAD + "".join(f"{one},1,1,1,1,0\n" for one in stamps))
    start = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1000)
    assert is_fast(path) is fast
    assert read_columns(path).time.tolist() == [start, start + 60_000]


@pytest.mark.parametrize(
    ("text", "fast"),
    [
        (" Timestamp , OPEN,High,low, close,Volume,more\n0, 1.5,2,1, 1.5,0,x\n60,1.5,2,1,1.5,0,y\n",
         True),
        (HEAD + '0,"1.5",2,1,1.5,0\n60,1.5,2,1,1.5,0\n', True),
        (HEAD + "0,+1.5,2,1,1.5,0\n60,1.5,2,1,1.5,0\n", True),
        (HEAD + "0,1_0.5e-1,2,1,1.05,0\n60,1.05,2,1,1.05,0\n", False),
        (HEAD + "\n0,1.5,2,1,1.5,0\n\n60,1.5,2,1,1.5,0\n\n", False),
        ("\ufeff" + HEAD + "0,1.5,2,1,1.5,0\r\n60,1.5,2,1,1.5,0\r\n", True),
    ],
)  # fmt: skip
def test_both_ways_read_the_same(tmp_path: Path, text: str, fast: bool) -> None:
    path = tmp_path / "X.1m.csv"
    path.write_text(text, encoding="utf-8", newline="")
    assert is_fast(path) is fast
    columns = read_columns(path)
    assert columns.time.tolist() == [0, 60_000]
    first, second = columns.numbers["open"].tolist()
    assert first == second
    assert first in (1.05, 1.5)


@pytest.mark.parametrize("cell", ["", "NaN", "nan", "inf", "-inf", "null", "one", "0x10", "1,5"])
def test_a_cell_that_is_no_number_is_named_with_its_line(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "X.1m.csv"
    shown = f'"{cell}"' if "," in cell else cell
    path.write_text(HEAD + f"0,1,1,1,1,0\n\n60,1,{shown},1,1,0\n")
    with pytest.raises(ConfigError, match=r"high is .* no number in line 4"):
        read_columns(path)


def test_numbers_of_a_parquet_file_of_integers_and_texts_are_read(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "X.1m.parquet"
    whole = {name: [1, 2] for name in NUMBERS}
    parquet.write_table(pa.table({"timestamp": [0, 60], **whole}), path)
    assert read_columns(path).numbers["open"].dtype == np.float64
    texts = {name: ["0.1", "0.30000000000000004"] for name in NUMBERS}
    stamps = ["2026-03-02T00:00Z", "2026-03-02T00:01Z"]
    parquet.write_table(pa.table({"timestamp": stamps, **texts}), path)
    assert read_columns(path).numbers["low"].tolist() == [0.1, 0.1 + 0.2]
