"""``python -m engine brokers``: a description is checked without an engine."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.adapters.brokers.rest.loading import EXAMPLE_FILE
from engine.cli import main
from tests.fakes.rest_exchange import KEY, SECRET, ExampleExchange, example_exchange

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """A command; its exit code and what it wrote."""
    for name in ("KEY", "SECRET", "PASSPHRASE"):
        monkeypatch.delenv(f"QUARTERDECK_BROKER_{name}", raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(("brokers", *arguments))
        out, err = capsys.readouterr()
        assert SECRET not in out + err
        return code, out, err

    return run


@pytest.fixture
def exchange() -> Iterator[ExampleExchange]:
    with example_exchange() as exchange:
        yield exchange


@pytest.fixture
def file(exchange: ExampleExchange, tmp_path: Path) -> Path:
    """The example at the running exchange, asked without waits."""
    text = EXAMPLE_FILE.read_text("utf-8").replace("requests_per_s: 10 ", "requests_per_s: 1000 ")
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("https://api.sandbox.exchange.example", exchange.url))
    return path


def test_the_example_is_printed_and_sound(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("example")
    assert (code, out) == (0, EXAMPLE_FILE.read_text("utf-8"))
    assert json.loads(run("example", "--json")[1])["text"] == out
    path = tmp_path / "mine.yaml"
    path.write_text(out)
    code, out, _ = run("check", str(path))
    assert (code, "mine.yaml is sound; --live asks the platform." in out) == (0, True)
    told = json.loads(run("check", str(path), "--json")[1])
    assert (told["name"], told["secrets"]) == ("Example Exchange", ["key", "secret"])
    assert told["endpoints"] == []


def test_what_is_wrong_is_listed_with_its_lines(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = EXAMPLE_FILE.read_text("utf-8").replace("kind: crypto", "knid: crypto")
    path.write_text(text.replace("times: ms ", "times: days "))
    code, out, _ = run("check", str(path))
    assert code == 2
    assert out.splitlines()[0] == "mine.yaml: 2 to be fixed."
    assert "line 11, knid: there is no such key; did you mean 'kind'?" in out
    code, out, _ = run("check", str(path), "--json")
    error = json.loads(out)["error"]
    assert (code, error["details"][0]["line"], error["details"][1]["key"]) == (2, 11, "times")
    code, _, err = run("check", str(tmp_path / "gone.yaml"))
    assert (code, "cannot be read: No such file" in err) == (2, True)


def test_what_answers_is_told_and_nothing_is_ordered(
    run: Run, file: Path, exchange: ExampleExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, _ = run("check", str(file), "--live")
    assert (code, "Whatever was asked works." in out) == (0, True)
    assert "BTC/USDT 50000 (bid 50000, ask 50000)" in out
    assert "it needs the account's secrets" in out
    assert "ETH/USDT 3000" in run("check", str(file), "--live", "--symbol", "ETH/USDT")[1]
    out = run("check", str(file), "--live", "--symbol", "NO/PE")[1]
    assert out.count("has no symbol 'NO/PE'") == 7
    code, _, err = run("check", str(file), "--live", "--account")
    assert (code, "set QUARTERDECK_BROKER_KEY" in err) == (2, True)
    assert run("check", str(file), "--account")[0] == 2
    monkeypatch.setenv("QUARTERDECK_BROKER_KEY", KEY)
    monkeypatch.setenv("QUARTERDECK_BROKER_SECRET", SECRET)
    code, out, _ = run("check", str(file), "--live", "--account", "--json")
    told = json.loads(out)
    results = {one["name"]: one["result"] for one in told["endpoints"]}
    assert (code, told["mode"]) == (0, "test")
    assert results.pop("place") == results.pop("cancel") == "unknown"
    assert set(results.values()) == {"ok"}
    assert len(results) == 9
    assert exchange.orders_of("qd-check-0-e") == []
    assert not [one for one in exchange.requests if not one.endpoint.startswith("GET ")]


def test_what_does_not_fit_is_told_by_the_key_that_is_wrong(
    run: Run, file: Path, exchange: ExampleExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(file.read_text().replace("bid: bid", "bid: best_bid")
                    .replace("rows: candles", "rows: data"))  # fmt: skip
    code, out, _ = run("check", str(file), "--live")
    assert (code, "2 to be fixed." in out) == (1, True)
    assert "endpoints.quote: 'best_bid' is not there, where an amount should be" in out
    assert "endpoints.candles: there is nothing at rows 'data'" in out
    monkeypatch.setenv("QUARTERDECK_BROKER_KEY", "a wrong one")
    monkeypatch.setenv("QUARTERDECK_BROKER_SECRET", SECRET)
    code, out, _ = run("check", str(file), "--live", "--account")
    assert (code, "check the key and the secret of the account" in out) == (1, True)
    assert "a wrong one" not in out
    monkeypatch.setenv("QUARTERDECK_BROKER_KEY", KEY)
    file.write_text(file.read_text().replace("contains(permissions, 'trade')", "permissions"))
    code, out, _ = run("check", str(file), "--live", "--account")
    assert "where true or false should be" in out


def test_a_mode_without_an_address_is_refused(run: Run, file: Path) -> None:
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.startswith("  live:")))
    code, _, err = run("check", str(file), "--live", "--mode", "live")
    assert (code, "no address for live" in err) == (2, True)
