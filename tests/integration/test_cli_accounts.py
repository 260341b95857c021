"""``accounts ...`` and ``--confirm``: secrets only by prompt or stdin, and never out again."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.api.auth import ensure_token
from engine.cli import main
from tests.fakes.serve import serving
from tests.fakes.services import FakeServices
from tests.fakes.venue_adapter import BAD, GOOD, WITHDRAWS

KEY, SECRET = "canary-key-1", "canary-secret-2"
SECRETS = f"key={KEY}\n\nsecret = {SECRET}\n"
OK, FAILED, BAD_INPUT = 0, 1, 2

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServices]:
    services = FakeServices(1, 0, 0)
    with serving(services, ensure_token(tmp_path / "api.token")) as api:
        monkeypatch.setenv("QUARTERDECK_DATA", str(tmp_path))
        monkeypatch.setenv("QUARTERDECK_API_PORT", str(api.port))
        yield services


@pytest.fixture
def run(
    services: FakeServices, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        code = main(arguments)
        out, err = capsys.readouterr()
        assert KEY not in out + err
        assert SECRET not in out + err
        return code, out, err

    return run


def add(run: Run, name: str = "Main", *more: str, mode: str = "test") -> dict[str, Any]:
    code, out, err = run("accounts", "add", name, "--venue", "fake", "--mode", mode, *more,
                         "--json", stdin=SECRETS)  # fmt: skip
    assert code == OK, err
    made: dict[str, Any] = json.loads(out)
    return made


def test_an_account_goes_through_its_life(run: Run, services: FakeServices) -> None:
    assert "add one with" in run("accounts", "list")[1]
    assert "Fake venue" in run("accounts", "venues")[1]
    made = add(run, "Main", "--option", "window_s=20", "--option", "address=http://127.0.0.1:99")
    assert made["options"] == {"window_s": 20, "address": "http://127.0.0.1:99"}
    desk = services.venue_accounts
    assert desk.connections.secrets(made["id"]) == {"key": KEY, "secret": SECRET}
    assert "TEST" in run("accounts", "list")[1]
    code, out, _ = run("accounts", "test", "main")
    assert (code, "OK Permissions" in out) == (OK, True)
    assert "is renamed" in run("accounts", "rename", "Main", "Savings")[1]
    assert "is changed" in run("accounts", "options", "savings", "--option", "window_s=5")[1]
    assert desk.get("savings").options["window_s"] == 5
    assert "is changed" in run("accounts", "secrets", "savings", stdin="secret=other")[1]
    assert desk.connections.secrets(made["id"]) == {"key": KEY, "secret": "other"}
    assert "it takes no entries" in run("accounts", "disable", "savings")[1]
    assert "it takes entries" in run("accounts", "enable", "savings")[1]
    assert "are deleted" in run("accounts", "delete", "savings")[1]
    assert desk.list() == []


def test_accounts_alone_still_says_what_they_hold(run: Run) -> None:
    code, out, _ = run("accounts")
    assert code == OK
    assert "difference" in out


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (("add", "Main", "--venue", "mars", "--mode", "test"), SECRETS, "no venue 'mars'"),
        (("add", "Main", "--venue", "fake", "--mode", "paper"), SECRETS, "test or live"),
        (("add", "Main", "--venue", "fake", "--mode", "gold"), SECRETS, "gold"),
        (("add", "Main", "--venue", "fake", "--mode", "test"), "", "needs: API key"),
        (("add", "Main", "--venue", "fake", "--mode", "test"), KEY, "Line 1 on stdin"),
        (("add", "Main", "--venue", "fake", "--mode", "test"), f"{SECRETS}pin=1",
         "no such secret; it asks for key, secret, passphrase"),
        (("add", "Main", "--venue", "fake", "--mode", "test", "--option", "window_s"), SECRETS,
         "NAME=VALUE"),
        (("add", "Main", "--venue", "fake", "--mode", "test", "--option", "window_s=0"), SECRETS,
         "window_s"),
        (("add", "Main", "--venue", "fake", "--mode", "test", KEY), SECRETS, "unexpected"),
        (("test", "nobody"), "", "no account 'nobody'"),
        (("test", ".."), "", "named by its name or id"),
        (("secrets", "nobody"), "", "no account 'nobody'"),
        (("options", "nobody"), "", "no account 'nobody'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_in_one_sentence(
    services: FakeServices, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...], stdin: str, words: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
    assert main(["accounts", *arguments]) == BAD_INPUT
    _, err = capsys.readouterr()
    assert words in err
    assert SECRET not in err
    assert services.venue_accounts.list() == []


def test_a_failed_test_and_a_key_that_withdraws_are_told_apart(
    run: Run, services: FakeServices
) -> None:
    services.venue_accounts.venue.inspection = WITHDRAWS
    code, _, err = run("accounts", "add", "Main", "--venue", "fake", "--mode", "live",
                       stdin=SECRETS)  # fmt: skip
    assert (code, "may withdraw money" in err) == (BAD_INPUT, True)
    services.venue_accounts.venue.inspection = BAD
    code, out, _ = run("accounts", "add", "Main", "--venue", "fake", "--mode", "live",
                       stdin=SECRETS)  # fmt: skip
    assert code == OK
    assert "LIVE" in out
    assert "FAILED Permissions" in out
    assert "Allow spot trading" in out
    assert run("accounts", "enable", "main")[0] == BAD_INPUT
    assert run("accounts", "secrets", "main", stdin="\n")[0] == BAD_INPUT
    assert run("accounts", "options", "main")[0] == BAD_INPUT


def test_at_a_terminal_secrets_are_asked_for_without_an_echo(
    services: FakeServices, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, bool]] = []
    answers = iter([KEY, SECRET, ""])

    def prompt(words: str, *, hide_input: bool, **_more: object) -> str:
        asked.append((words, hide_input))
        return next(answers)

    monkeypatch.setattr("typer.prompt", prompt)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert main(["accounts", "add", "Main", "--venue", "fake", "--mode", "test"]) == OK
    assert asked == [
        ("API key", True), ("API secret", True), ("Passphrase (empty: leave it)", True)
    ]  # fmt: skip
    out, err = capsys.readouterr()
    assert SECRET not in out + err
    made = services.venue_accounts.get("main")
    assert services.venue_accounts.connections.secrets(made.id) == {"key": KEY, "secret": SECRET}


def test_a_login_of_the_day_takes_its_answer_from_stdin(run: Run, services: FakeServices) -> None:
    code, out, _ = run("accounts", "add", "Daily", "--venue", "fakedaily", "--mode", "test",
                       stdin=SECRETS)  # fmt: skip
    assert (code, "has not been tested" in out) == (OK, True)
    code, _, err = run("accounts", "login", "daily")
    assert (code, "http://127.0.0.1:1/login" in err) == (BAD_INPUT, True)
    code, _, err = run("accounts", "login", "daily", stdin="junk")
    assert (code, "paste the whole address" in err) == (BAD_INPUT, True)
    code, out, _ = run("accounts", "login", "daily", stdin="ok-1\n")
    assert (code, "logged in until" in out, "takes entries" in out) == (OK, True, True)


def test_a_bot_with_real_money_is_confirmed_by_its_name(run: Run, services: FakeServices) -> None:
    account = add(run, mode="live")
    new = ("bots", "create", "--name", "Real", "--market", account["market_id"], "--symbol",
           "BTC/USDT", "--strategy", "rsi", "--amount", "100")  # fmt: skip
    code, _, err = run(*new)
    assert (code, "real money" in err) == (BAD_INPUT, True)
    code, _, err = run(*new, "--confirm", "real")
    assert (code, "'Real', as it is written" in err) == (BAD_INPUT, True)
    assert run(*new, "--confirm", "Real")[0] == OK
    assert "LIVE" in run("bots", "list")[1]
    assert run("bots", "start", "Real")[0] == BAD_INPUT
    assert run("bots", "start", "Real", "--confirm", "Real")[0] == OK
    assert run("bots", "clone", "Real", "Second")[0] == BAD_INPUT
    assert run("bots", "clone", "Real", "Second", "--confirm", "Second")[0] == OK
    services.venue_accounts.venue.inspection = GOOD
    code, _, err = run("accounts", "delete", "main")
    assert (code, "'Real', 'Second' use 'Main'" in err) == (BAD_INPUT, True)
