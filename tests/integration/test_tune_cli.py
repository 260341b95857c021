"""``tune`` on the command line: without an engine, on a file, the same seed the same result."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.cli import main
from tests.fakes.candles import random_candles
from tests.support.tuning import write_candles

FILE = "BTC-USD.1h.csv"


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with nothing in it, and a candle file beside it."""
    monkeypatch.setenv("QUARTERDECK_DATA", str(tmp_path / "data"))
    write_candles(tmp_path, random_candles(600, 5, volatility=0.01, timeframe="1h"), FILE)
    return tmp_path


def tune(folder: Path, *words: str) -> tuple[str, ...]:
    return ("tune", "--strategy", "ma_cross", "--candles", str(folder / FILE), "--trials", "8",
            "--min-trades", "2", "--workers", "1", "--param-range", "fast=3:12",
            "--param-range", "slow=14:40:2", *words)  # fmt: skip


def printed(capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    """The JSON document, and what went to stderr."""
    out, err = capsys.readouterr()
    return json.loads(out), err


def test_a_study_is_printed_kept_and_found_again(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = tune(data, "--json", "--study", "first", "--fee-bps", "10")
    assert main(words) == 0
    document, progress = printed(capsys)
    assert set(document["best"]["params"]) == {"fast", "slow"}
    assert document["in_sample"]["sharpe"] == pytest.approx(document["best"]["value"])
    assert document["out_of_sample"]["trades"] >= 0
    assert {"pbo", "deflated_sharpe", "trials"} <= set(document["overfitting"])
    assert len(document["trials"]) == sum(document["counts"].values()) >= 8
    assert {"inside", "outside", "outcome"} <= set(document["trials"][0])
    assert (document["seed"], document["method"], document["timeframe"]) == (1, "tpe", "1h")
    assert "searching: 8 of 8 trials" in progress
    assert (data / "data" / "studies" / "cli" / "first.journal").exists()
    assert main(words) == 0
    again, _ = printed(capsys)
    assert again == document


def test_the_backtest_of_the_best_is_that_of_the_other_command(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    levels = ("--stop-loss", "0.03", "--fee-bps", "10")
    assert main((*tune(data), "--json", *levels)) == 0
    tuned, _ = printed(capsys)
    params = json.dumps(tuned["best"]["all_params"])
    assert main(("backtest", "--strategy", "ma_cross", "--candles", str(data / FILE), "--params",
                 params, "--json", *levels)) == 0  # fmt: skip
    tested, _ = printed(capsys)
    assert tested["trades"], "a comparison of nothing shows nothing"
    for part in ("trades", "open_position", "metrics", "equity"):
        assert tuned[part] == tested[part]


def test_a_walk_forward_for_people(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(tune(data, "--walk-forward", "2", "--anchored", "--method", "random")) == 0
    out, err = capsys.readouterr()
    assert "out of sample" in out
    assert "PBO" in out
    assert "fold 2 of 2" in err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--param-range", "fast=9"), "fast is not"),
        (("--param-range", "fast=9:x"), "write it as fast=5:50"),
        (("--param-range", "fast=12:3"), "12 is above 3"),
        (("--param-range", "nothing=1:2"), "nothing is not a parameter"),
        (("--walk-forward", "50"), "600 candles are too few"),
        (("--trials", "0"), "--trials"),
        (("--strategy", "nowhere"), "no strategy 'nowhere'"),
        (("--candles", "nowhere.csv"), "no candle file 'nowhere.csv'"),
        (("--study", "../x"), "letters, digits"),
        (("--cash", "-1"), "--cash"),
    ],
)
def test_bad_input_is_one_sentence(
    data: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], sentence: str
) -> None:
    asked = [*tune(data), *words]
    if words[0] == "--param-range" and words[1] == "fast=9":
        asked[-1] = "fast"
        sentence = "write it as fast=5:50"
    assert main(asked) == 2
    out, err = capsys.readouterr()
    assert sentence in err.splitlines()[-1]
    assert out == ""
