"""``python -m engine backtest``: no engine, one file, numbers that can be reckoned by hand."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.cli import main
from tests.support.scripted import write_candles, write_planned

BARS = [(100, 100, 100, 100), (100, 104, 99, 103), (104, 106, 103, 105), (100, 101, 99, 100)]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder and a strategies folder of the test's own."""
    write_planned(tmp_path / "strategies")
    monkeypatch.setenv("QUARTERDECK_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("QUARTERDECK_STRATEGIES", str(tmp_path / "strategies"))


def candles(folder: Path, bars: Sequence[tuple[float, ...]] = BARS) -> str:
    """A CSV of one-minute candles."""
    return str(write_candles(folder, bars))


def ask(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    """The JSON that a backtest prints."""
    assert main(["backtest", "--strategy", "planned", *words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_a_trade_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """10,000 buy at the open after the signal, at 100 with 10 bp; the target of 5 % is touched in
    the bar after that, at 105."""
    found = ask(capsys, "--candles", candles(tmp_path), "--params", '{"plan": "0L"}',
                "--fee-bps", "10", "--stop-loss", "0.02", "--take-profit", "0.05")  # fmt: skip
    [trade] = found["trades"]
    quantity = 10_000 / 100.1
    fee = quantity * (100 + 105) * 0.001
    assert trade["quantity"] == pytest.approx(quantity)
    assert (trade["entry_price"], trade["exit_price"]) == (100.0, 105.0)
    assert (trade["side"], trade["exit_reason"]) == ("long", "take_profit")
    assert trade["fee"] == pytest.approx(fee)
    assert trade["pnl"] == pytest.approx(quantity * 5 - fee)
    assert found["open_position"] is None
    assert found["equity"][-1] == pytest.approx(10_000 + trade["pnl"])
    assert len(found["equity"]) == found["candles"] == len(BARS) + 1
    assert found["metrics"]["trades"] == 1
    assert found["metrics"]["total_return"] == pytest.approx(trade["pnl"] / 10_000)


@pytest.mark.parametrize(
    ("entry", "option", "fraction", "touched"),
    [
        (100, "--take-profit", "0.1", 110.0),
        (12, "--take-profit", "0.05", 12.6),
        (12, "--stop-loss", "0.05", 11.4),
        (7, "--stop-loss", "0.02", 6.86),
    ],
)
def test_a_bar_that_only_touches_a_level_takes_it(
    entry: float, option: str, fraction: str, touched: float,
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """By the decimals that a person reckons with: in float64, 100 * 1.1 is more than 110."""
    high, low = max(entry, touched), min(entry, touched)
    path = candles(tmp_path, [(entry,), (entry,), (entry, high, low, entry), (entry,)])
    found = ask(capsys, "--candles", path, "--params", '{"plan": "0L"}', option, fraction)
    [trade] = found["trades"]
    assert trade["exit_time"] == "2026-03-02T00:02:00Z"
    assert (trade["entry_price"], trade["exit_price"]) == (entry, touched), "to the last digit"


def test_a_file_may_have_any_name_and_call_its_times_as_others_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(candles(tmp_path))
    plain = ask(capsys, "--candles", str(path), "--params", '{"plan": "0L 2l"}')
    for name, column in (("my candles (1).csv", "Time"), ("BTC-USDT-1m.csv", "open_time"),
                         ("hand_made.csv", "Date")):  # fmt: skip
        other = tmp_path / name
        text = path.read_text(encoding="utf-8").replace("timestamp", column)
        other.write_text(text, encoding="utf-8")
        found = ask(capsys, "--candles", str(other), "--params", '{"plan": "0L 2l"}')
        assert found["timeframe"] == "1m"
        assert found["equity"] == plain["equity"]


def test_rows_longer_than_the_header_are_refused_and_not_shifted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(candles(tmp_path))
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([head, *(f"{row},7" for row in rows)]), encoding="utf-8")
    found = ask(capsys, "--candles", str(path), code=2)
    assert "its rows have more columns than its header names" in found["error"]["message"]


def test_what_is_open_at_the_end_is_reported_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = ask(capsys, "--candles", candles(tmp_path), "--params", '{"plan": "1L"}')
    assert found["trades"] == []
    held = found["open_position"]
    assert (held["entry_price"], held["side"]) == (104.0, "long")
    assert held["unrealised_pnl"] == pytest.approx(10_000 / 104 * (100.01 - 104))
    assert found["equity"][-1] == pytest.approx(10_000 + held["unrealised_pnl"])


def test_the_same_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["backtest", "--strategy", "planned", "--candles", candles(tmp_path),
             "--params", '{"plan": "0L 2l"}']  # fmt: skip
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "trades            1, 0.0% won" in text
    assert "signal" in text


def test_the_instruments_own_steps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = ask(capsys, "--candles", candles(tmp_path), "--params", '{"plan": "0L 1l"}',
                "--cash", "1000", "--fee-bps", "7", "--like-a-bot")  # fmt: skip
    [trade] = found["trades"]
    assert trade["quantity"] == 9.99300489, "on the step of 0.00000001, rounded down"


BAD: dict[str, tuple[list[str], str]] = {
    "a parameter out of bounds": (["--params", '{"plan": 3}'], "plan: must be text"),
    "an unknown parameter": (["--params", '{"plam": "0L"}'], "plam: is not a parameter"),
    "no JSON": (["--params", "period=3"], "--params: this is not JSON"),
    "no object": (["--params", "[3]"], "give a JSON object"),
    "no number": (["--fee-bps", "ten"], "--fee-bps: input should be a valid decimal"),
    "a stop of more than all": (["--stop-loss", "1.5"], "--stop-loss: input should be less than 1"),
    "negative cash": (["--cash", "-5"], "--cash: input should be greater than 0"),
    "a timeframe that is no multiple": (["--timeframe", "1s"], "1s is not a multiple of 1m"),
    "an unknown timeframe": (["--timeframe", "7m"], "unknown timeframe '7m'"),
    "no candle in the period": (["--since", "2030-01-01"], "No candle is left"),
    "a raising strategy": (["--params", '{"plan": "xL"}'], "The strategy 'planned' failed: line"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, sentence = BAD[case]
    found = ask(capsys, "--candles", candles(tmp_path), *words, code=2)
    assert sentence in found["error"]["message"]


def test_a_strategy_and_a_file_that_are_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["backtest", "--strategy", "nope", "--candles", candles(tmp_path)]) == 2
    assert "There is no strategy 'nope'" in capsys.readouterr().err
    assert main(["backtest", "--strategy", "planned", "--candles", "nope.csv"]) == 2
    assert "There is no candle file 'nope.csv'" in capsys.readouterr().err


def test_too_few_candles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "strategies" / "slow.py").write_text(
        (tmp_path / "strategies" / "planned.py").read_text(encoding="utf-8")
        .replace("return 0", "return 50").replace("return 1", "return 50"), encoding="utf-8"
    )  # fmt: skip
    assert main(["backtest", "--strategy", "slow", "--candles", candles(tmp_path)]) == 2
    assert "There are too few candles: 'slow' needs at least 51 of 1m" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("2026-01-01T00:01:00Z,1,1,1,1,1", "the timestamp is that of the row before"),
        ("2025-01-01T00:01:00Z,1,1,1,1,1", "the timestamp is earlier"),
        ("2026-01-01T00:02:00Z,1,nan,1,1,1", "high is 'nan'"),
        ("2026-01-01T00:02:00Z,-1,1,-1,1,1", "a price is not above zero"),
        ("2026-01-01T00:02:00Z,1,1,2,1,1", "the high is below the low"),
    ],
)
def test_a_damaged_file_is_named_with_its_line(
    line: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "ABC-USDT.1m.csv"
    path.write_text(
        "timestamp,open,high,low,close,volume\n2026-01-01T00:00:00Z,1,1,1,1,1\n"
        f"2026-01-01T00:01:00Z,1,1,1,1,1\n{line}\n",
        encoding="utf-8",
    )
    assert main(["backtest", "--strategy", "planned", "--candles", str(path)]) == 2
    error = capsys.readouterr().err
    assert sentence in error and "in line 4" in error


def test_a_gap_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_candles(tmp_path, [(100.0,)] * 30)
    head, *rows = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([head, *rows[:10], *rows[15:]]) + "\n", encoding="utf-8")
    found = ask(capsys, "--candles", str(path))
    assert found["warnings"] == [
        "5 candles are missing in 1 gap, the first at 2026-03-02T00:10:00Z; orders wait over a gap"
        " for the next candle's open"
    ]
