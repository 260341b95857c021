"""``python -m engine candles``: files without an engine, downloads with one."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from engine.api.auth import ensure_token
from engine.cli import main
from tests.fakes.clock import START
from tests.fakes.serve import serving
from tests.fakes.services import FakeServices
from tests.support.ports import free_port

Run = Callable[..., tuple[int, str, str]]
HEAD = "time,open,high,low,close,volume\n"
ROWS = "".join(f"2026-03-02T0{hour}:00Z,1.5,2,0.5,1.5,5\n" for hour in (0, 1, 3))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Commands in a data folder without an engine."""
    monkeypatch.setenv("QUARTERDECK_DATA", str(tmp_path))
    monkeypatch.setenv("QUARTERDECK_API_PORT", str(free_port()))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(("candles", *arguments))
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def engine(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServices]:
    """An engine of that folder."""
    services = FakeServices(0, 0, 0, now=lambda: START)
    with serving(services, ensure_token(tmp_path / "api.token")) as served:
        monkeypatch.setenv("QUARTERDECK_API_PORT", str(served.port))
        yield services


def test_a_file_is_looked_at_imported_checked_listed_and_deleted(run: Run, tmp_path: Path) -> None:
    assert run("list") == (0, "No candles yet; see 'python -m engine candles download --help' and"
                              " 'import --help'.\n", "")  # fmt: skip
    file = tmp_path / "BTCUSDT-1h.csv"
    file.write_text(HEAD + ROWS)
    code, out, _ = run("import", str(file), "--dry-run")
    assert (code, "TradingView export, BTC/USDT (crypto)" in out) == (0, True)
    assert run("list", "--json")[1].strip() == "[]"
    code, out, _ = run("import", str(file), "--symbol", "ETH-USDT")
    assert (code, out.splitlines()[0]) == (0, "3 candles imported into ETH-USDT.1h: 3 new.")
    assert "1 candle is missing in 1 gap" in out
    [entry] = json.loads(run("list", "--json")[1])
    assert (entry["id"], entry["span"]["missing"]) == ("ETH-USDT.1h", 1)
    assert "75.00%" in run("list")[1]
    code, out, _ = run("check", "ETH-USDT.1h")
    assert (code, "2026-03-02 02:00 to 2026-03-02 03:00: 1" in out) == (0, True)
    assert run("delete", "ETH-USDT.1h") == (0, "ETH-USDT.1h is deleted.\n", "")
    assert run("delete", "ETH-USDT.1h")[0] == 2


@pytest.mark.parametrize(
    ("content", "options", "words"),
    [
        (HEAD + ROWS.replace("0.5", "-1", 1), ["--symbol", "X-USD"], "line 2: open 1.5, high 2"),
        (HEAD + ROWS + ROWS[:33], ["--symbol", "X-USD"], "needs a repair"),
        (HEAD + ROWS, [], "Say which symbol"),
        (HEAD + ROWS, ["--symbol", "a/b/c"], "is not a symbol"),
        (HEAD + ROWS, ["--symbol", "X-USD", "--timeframe", "1d"], "less than 1d apart"),
        ("hello", [], "no line of five"),
    ],
)
def test_bad_input_is_one_sentence(
    run: Run, tmp_path: Path, content: str, options: list[str], words: str
) -> None:
    file = tmp_path / "some candles of mine.csv"
    file.write_text(content)
    code, out, err = run("import", str(file), *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err


def test_a_repair_is_made_when_it_is_asked_for(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "X-USD.1h.csv"
    file.write_text(HEAD + ROWS + ROWS[:33])
    assert "3 new" in run("import", str(file), "--repair")[1]
    assert "There are no candles '..'" in run("check", "..")[2]
    assert run("check", "NOPE.1h")[0] == 2
    assert run("import", str(tmp_path / "absent.csv"))[0] == 2


def test_a_broken_file_in_the_folder_is_listed_with_its_error(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "candles"
    folder.mkdir()
    (folder / "BTC-USDT.1h.csv").write_text("timestamp,open,high,low,close,volume\n0,1,1,1,x,0\n")
    assert "no number in line 2" in run("list")[1]
    code, _, err = run("check", "BTC-USDT.1h~csv")
    assert (code, "no number in line 2" in err) == (2, True)


def test_a_download_is_followed_to_its_end(run: Run, engine: FakeServices) -> None:
    since = f"{START - timedelta(days=2):%Y-%m-%dT%H:%M}"
    asked = ["--source", "ccxt:fake", "--timeframe", "1h", "--since", since]
    code, out, _ = run("download", "--symbol", "BTC-USDT", *asked)
    assert (code, out) == (0, "BTC-USDT.1h@ccxt-fake: done, 48 candles, 48 new.\n")
    code, _, err = run("download", "--symbol", "NOPE/USDT", *asked)
    assert (code, "no symbol 'NOPE/USDT'" in err) == (1, True)
    assert run("download", "--symbol", "ETH/USDT", *asked, "--no-wait")[0] == 0
    engine.candles.join()
    assert run("download", "--symbol", "BTC-USDT", *asked[:4], "--since", "soon")[0] == 2
    assert run("delete", "BTC-USDT.1h@ccxt-fake")[0] == 0
    assert [one.id for one in engine.candles.library.list()] == ["ETH-USDT.1h@ccxt-fake"]


def test_a_download_needs_an_engine(run: Run) -> None:
    code, _, err = run("download", "--symbol", "BTC/USDT", "--source", "yahoo", "--timeframe", "1h",
                       "--since", "2026-01-01")  # fmt: skip
    assert (code, "engine is not running" in err) == (3, True)
