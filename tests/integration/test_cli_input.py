"""What is typed on the command line, judged in this process: notations, exit codes, no crash."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.api.auth import ensure_token
from engine.cli import main, options
from engine.cli.failures import BadInput
from engine.cli.latch import write_latch
from engine.cli.output import one_line, table
from engine.contracts import KillLevel
from tests.fakes.serve import serving
from tests.fakes.services import FakeServices

NEEDED = ["--name", "demo", "--symbol", "BTC/USDT", "--strategy", "rsi", "--amount", "100"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int, FakeServices]]:
    data = tmp_path_factory.mktemp("data")
    services = FakeServices(2, 3, 12)
    with serving(services, ensure_token(data / "api.token")) as api:
        yield data, api.port, services


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    served: tuple[Path, int, FakeServices],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    monkeypatch.setenv("QUARTERDECK_DATA", str(served[0]))
    monkeypatch.setenv("QUARTERDECK_API_PORT", str(served[1]))

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--amount", "0"], "amount: must be greater than 0"),
        (["--amount", "NaN"], "finite"),
        (["--amount", "1e15"], "at most 1000000000"),
        (["--amount", "0.5"], "at least 10 USDT"),
        (["--amount", "much"], "must be a number"),
        (["--stop-loss", "1.5"], "stop_loss: must be less than 1"),
        (["--stop-loss", "0.02", "--no-stop-loss"], "contradict"),
        (["--take-profit", "none", "--trailing-stop", "2"], "trailing_stop"),
        (["--symbol", "NOPE"], "NOPE"),
        (["--market", "mars"], "mars"),
        (["--market", "replay:/no/such.csv"], "/no/such.csv"),
        (["--strategy", "rsi;rm"], "strategy"),
        (["--strategy", "unheard_of"], "unheard_of"),
        (["--param", "period"], "NAME=VALUE"),
        (["--param", "=5"], "NAME=VALUE"),
        (["--param", "period=1"], "between 2 and 200"),
        (["--param", "period=1e999"], "between 2 and 200"),
        (["--param", "period=[1]"], "between 2 and 200"),
        (["--param", "colour=red"], "not a parameter"),
        (["--timeframe", "7m"], "unknown timeframe"),
        (["--interval", "soon"], "--interval"),
        (["--interval", "-5"], "--interval"),
        (["--interval", "30d"], "at most 604800"),
        (["--time-limit", "0"], "time_limit_s"),
        (["--roi", "0.01"], "AGE:PROFIT"),
        (["--roi", "1h:0.01", "--roi", "10m:0.02"], "order of age"),
        (["--direction", "up"], "direction"),
        (["--max-entries", "two"], "whole number"),
        (["--hours", "8-20"], "--hours"),
        (["--hours", "08:00-20:00@Mars/Olympus"], "no time zone"),
        (["--wake-lead", "90s"], "whole minutes"),
        (["--overnight", "sell"], "keep"),
        (["--hours", "25:00-26:00"], "such as 08:00"),
        (["--listen", "off"], "none of on, none, NAME=VALUE"),
        (["--listen", "max_lag_s=0"], "at least 1"),
        (["--ai", "oracle"], "none of advisor, decider, none, NAME=VALUE"),
        (["--ai", "min_confidence=2"], "at most 1"),
        (["--name", "btc-rsi"], "already"),
        (["--name", "a\x1b[31mb"], "not allowed"),
        (["--name"], "--name"),
        (["extra"], "extra"),
    ],
)
def test_a_bad_option_is_one_sentence_and_creates_nothing(
    run: Run, served: tuple[Path, int, FakeServices], arguments: list[str], words: str
) -> None:
    count = len(served[2].bots)
    code, out, err = run("bots", "create", *NEEDED, *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert len(served[2].bots) == count


@pytest.mark.parametrize(
    "arguments",
    [
        ["bots"],
        ["bots", "start"],
        ["bots", "start", "nobody"],
        ["bots", "start", ""],
        ["bots", "start", ".."],
        ["bots", "start", "../trades"],
        ["bots", "edit", "btc-rsi"],
        ["bots", "edit", "btc-rsi", "--amount", "50"],
        ["bots", "delete", "btc-rsi"],
        ["bots", "create"],
        ["kill", "--level", "everything"],
        ["kill", "--bot", "btc-rsi", "--symbol", "BTC/USDT"],
        ["kill", "--bot", "nobody"],
        ["kill", "--account", "paper:nowhere"],
        ["kill", "--symbol", " "],
        ["kill", "--reason", "x" * 301],
        ["trades", "--since", "yesterday"],
        ["trades", "--limit", "0"],
        ["trades", "--limit", "many"],
        ["trades", "--csv", "."],
        ["trades", "--csv", __file__ + "/trades.csv"],
        ["logs", "--level", "loud"],
        ["symbols", "--market", "mars"],
        ["dance"],
        ["--port", "5"],
    ],
)
def test_bad_input_exits_with_2_in_both_forms(run: Run, arguments: list[str]) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    code, out, err = run(*arguments, "--json")
    assert (code, err) == (2, "")
    assert set(json.loads(out)) == {"error"}


def test_every_option_reaches_the_configuration(run: Run) -> None:
    code, out, _ = run(
        "bots", "create", "--name", "all of it", "--symbol", "EUR/USD", "--strategy", "bollinger",
        "--param", "period=30", "--param", "width=2.5", "--timeframe", "5m", "--interval", "300",
        "--amount", "1000.25", "--no-stop-loss", "--take-profit", "none", "--trailing-stop", "0.01",
        "--time-limit", "4h", "--roi", "600:0.01", "--direction", "both", "--no-reinvest",
        "--max-entries", "3", "--hours", "22:00-06:00@Europe/Berlin,mon,fri", "--any-time",
        "--overnight", "close:10m", "--wake-lead", "1h", "--entry-order", "limit",
        "--limit-offset-bps", "7.5", "--entry-timeout", "10m", "--route-to", "ccxt:binance",
        "--listen", "on", "--listen", "max_lag_s=30", "--ai", "decider", "--ai",
        "min_confidence=0.8", "--json",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out)["config"] == {
        "name": "all of it", "market": "simulated", "symbol": "EUR/USD", "strategy": "bollinger",
        "params": {"period": 30, "width": 2.5}, "timeframe": "5m", "interval_s": 300,
        "amount": "1000.25", "stop_loss": None, "take_profit": None, "trailing_stop": "0.01",
        "time_limit_s": 14400, "roi_steps": [{"after_s": 600, "profit": "0.01"}],
        "direction": "both", "reinvest": False, "max_entries": 3, "entry_order": "limit",
        "limit_offset_bps": "7.5", "entry_timeout_s": 600,
        "active_hours": {"start": "22:00:00", "end": "06:00:00", "zone": "Europe/Berlin",
                         "weekdays": ["mon", "fri"]},
        "follow_market": False, "overnight": "close", "close_before_min": 10, "wake_lead_min": 60,
        "routing": {
            "markets": ["ccxt:binance"], "max_extra_fee_bps": "20", "max_age_s": 5.0,
            "latency_bps_per_s": "1",
        },
        "signals": {
            "signature": "none", "is_tradingview_only": False, "max_lag_s": 30,
            "rate_per_minute": 60, "same_within_s": 60, "expect_every_s": None,
        },
        "ai": {
            "role": "decider", "model": "", "min_confidence": 0.8, "deadline_s": 20.0,
            "ask_every_s": 0, "candle_count": 60, "has_news": True, "may_set_levels": True,
            "instructions": "",
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["status"], "kill switch  off"),
        (["controls"], "No control is on."),
        (["bots", "list"], "btc-rsi"),
        (["bots", "show", "btc-rsi"], "long 0.0"),
        (["bots", "orders", "btc-rsi"], "paper:simulated"),
        (["trades", "--limit", "5"], "trades in USDT"),
        (["trades", "--symbol", "none such"], "No trades."),
        (["strategies"], "was never closed"),
        (["markets"], "Kraken does not answer"),
        (["symbols", "btc"], "BTC/USDT"),
        (["logs", "--level", "error"], "ZeroDivisionError"),
        (["--help"], "bots"),
        (["bots", "create", "--help"], "--stop-loss"),
    ],
)
def test_text_for_people(run: Run, arguments: list[str], words: str) -> None:
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    assert words in out


@pytest.mark.parametrize(
    "arguments",
    [["status"], ["bots", "list"], ["bots", "start", "x"], ["bots", "create", *NEEDED], ["trades"],
     ["kill", "--release"], ["kill", "--symbol", "BTC/USDT", "--release"], ["controls"]],
)  # fmt: skip
def test_without_an_engine_nothing_is_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setenv("QUARTERDECK_DATA", str(tmp_path / "data"))
    code, out, err = run(*arguments)
    assert (code, out) == (3, "")
    assert "is not running" in err and err.count("\n") == 1
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("words", "seconds"), [("1", 1), ("90s", 90), ("15m", 900), ("4H", 14400), ("7d", 604800)]
)
def test_lengths_of_time(words: str, seconds: int) -> None:
    assert options.seconds(words, "--interval") == seconds


@pytest.mark.parametrize("words", ["", "m", "1.5h", "1w", "-1", "1 m", "9" * 10])
def test_no_lengths_of_time(words: str) -> None:
    with pytest.raises(BadInput, match="--interval"):
        options.seconds(words, "--interval")


@pytest.mark.parametrize(
    ("words", "value"),
    [("14", 14), ("2.5", 2.5), ("-1", -1), ("true", True), ("fast", "fast"), ("NaN", "NaN"),
     ("1e999", "1e999"), ("", ""), ("a=b", "a=b"), ("null", "null")],
)  # fmt: skip
def test_parameters_have_the_type_they_look_like(words: str, value: Any) -> None:
    parsed = options.parameters([f"key={words}"])
    assert parsed == {"key": value}
    assert type(parsed["key"]) is type(value)


def test_a_replay_is_named_by_its_absolute_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "candles.csv"
    file.touch()
    monkeypatch.chdir(tmp_path)
    assert options.market("replay:candles.csv") == f"replay:{file}"
    assert options.market("replay:./candles.csv?speed=60") == f"replay:{file}?speed=60"
    assert options.market("ccxt:binance") == "ccxt:binance"


def test_run_hands_over_to_the_engine(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def run_engine(settings: Any) -> int:
        given.append(settings.api_port)
        return 7

    monkeypatch.setattr("engine.bootstrap.run_engine", run_engine)
    assert [run()[0], run("run")[0]] == [7, 7]
    assert len(given) == 2


@pytest.mark.parametrize("content", ["", "{", '{"level": "everything"}', '{"level": "none"}'])
def test_a_latch_that_is_weak_or_broken_is_replaced(tmp_path: Path, content: str) -> None:
    (tmp_path / "KILL").write_text(content)
    assert write_latch(tmp_path, KillLevel.PAUSE_ENTRIES, "test").level == "pause_entries"
    [latched] = json.loads((tmp_path / "KILL").read_text())["controls"]
    assert latched["level"] == "pause_entries"


def test_text_from_outside_cannot_steer_the_terminal() -> None:
    assert one_line("a\x1b[31m\nb\u202e") == "a [31m b "
    lines = table(("bot", "P&L"), [("x\x1b[2J", "-1.50"), ("longer", "+10.00")], "none")
    assert lines == ["bot        P&L", "x [2J    -1.50", "longer  +10.00"]
    assert table(("bot",), [], "none") == ["none"]
