"""``alerts ...``: channels, the matrix, the log, messages, prices; secrets by stdin or prompt."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from engine.api.auth import ensure_token
from engine.cli import main
from engine.cli.alerts import build
from engine.domain.alerts import AlertKind, ChannelKind
from engine.errors import ChannelRefused
from tests.fakes.serve import serving
from tests.fakes.services import FakeServices
from tests.support.channel_forms import RIGHT, secrets_of

OK, FAILED, BAD_INPUT = 0, 1, 2
SMS = RIGHT[ChannelKind.SMS]
TOKEN = SMS["auth_token"]
SECRETS = f"auth_token = {TOKEN}\n"
SECRET = [RIGHT[kind][name] for kind in ChannelKind for name in secrets_of(kind)]
PLAIN = [word for name, value in SMS.items() if name != "auth_token"
         for word in ("--field", f"{name}={value}")]  # fmt: skip

Run = Callable[..., str]
RAN: set[str] = set()
"""The commands that went well in this module."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeServices, Path, int]]:
    data, services = tmp_path_factory.mktemp("data"), FakeServices(1, 0, 0)
    with serving(services, ensure_token(data / "api.token")) as api:
        yield services, data, api.port


@pytest.fixture
def services(
    engine: tuple[FakeServices, Path, int], monkeypatch: pytest.MonkeyPatch
) -> FakeServices:
    found, data, port = engine
    monkeypatch.setenv("QUARTERDECK_DATA", str(data))
    monkeypatch.setenv("QUARTERDECK_API_PORT", str(port))
    found.forget_alerts()
    return found


@pytest.fixture
def run(
    services: FakeServices, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    def run(*arguments: str, stdin: str = "", code: int = OK) -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        ended = main(["alerts", *arguments])
        out, err = capsys.readouterr()
        assert ended == code, out + err
        assert (err == "") == (code == OK)
        for secret in SECRET:
            assert secret not in out + err
        if code == OK:
            depth = 2 if arguments[0] in ("channels", "matrix", "price") else 1
            RAN.add(" ".join(arguments[:depth]))
        return out + err

    return run


def add_phone(run: Run) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(
        run("channels", "add", "Phone", "--kind", "sms", *PLAIN, "--json", stdin=SECRETS)
    )
    return made


def test_a_channel_goes_through_its_life(run: Run, services: FakeServices) -> None:
    assert "tells how to add one" in run("channels", "list")
    assert "Auth token: of the account" in run("channels", "forms")
    view = add_phone(run)
    assert (view["secrets"], view["settings"]["sender"]) == (["auth_token"], SMS["sender"])
    assert "SMS by Twilio" in run("channels", "list")
    assert "accepts the credentials. It answered" in run("channels", "verify", "phone")
    assert "took the test message. It answered: accepted" in run("channels", "test", "phone")
    changed = run(
        "channels", "set", "phone", "--name", "Mobile", "--field", "sender=+15005550009",
        "--off", "--quiet", "22:00-07:00@Europe/Berlin", "--per-minute", "3", "--digest-above",
        "9", "--digest-window", "2m", "--escalate-after", "10m", "--segment-price", "0.0079",
        "--bot", services.list_bots()[0].config.name,
    )  # fmt: skip
    assert "is changed. It is disabled." in changed
    after = services.channels.get("mobile")
    assert after.quiet is not None
    assert (after.quiet.zone, after.digest_window_s, after.escalate_after_s) == (
        "Europe/Berlin", 120, 600,
    )  # fmt: skip
    assert after.bots == (services.list_bots()[0].id,)
    run("channels", "set", "mobile", "--bot", "none", "--quiet", "none", "--segment-price", "none",
        "--escalate-to", "none", "--on")  # fmt: skip
    after = services.channels.get("mobile")
    assert (after.bots, after.quiet, after.segment_price, after.is_enabled) == (
        (),
        None,
        None,
        True,
    )
    run("channels", "set", "mobile", "--secrets", stdin="auth_token=twilio-token-2")
    kept = services.fake_alerts.kept
    kept.notifier(kept.get("mobile"))
    assert services.fake_alerts.notifiers.made[-1].secrets == {"auth_token": "twilio-token-2"}
    assert "are deleted" in run("channels", "delete", "mobile")
    assert services.channels.list() == []


def test_a_provider_that_refuses_ends_with_what_it_says(run: Run, services: FakeServices) -> None:
    services.fake_alerts.notifiers.refusal = ChannelRefused("Verify it.", answer="21608")
    add_phone(run)
    for verb in ("verify", "test"):
        assert run("channels", verb, "phone", code=FAILED) == (
            "Phone: Verify it. It answered: 21608\n"
        )


def test_the_matrix_is_shown_and_set(run: Run, services: FakeServices) -> None:
    add_phone(run)
    shown = run("matrix", "show")
    assert len(shown.splitlines()) == len(AlertKind) + 1
    assert run("matrix", "set", "all", "all", "off") == "Phone: nothing\n"
    assert run("matrix", "set", "phone", "price", "on") == "Phone: price\n"
    assert services.channels.get("phone").kinds == (AlertKind.PRICE,)
    assert json.loads(run("matrix", "show", "--json")) == {"Phone": ["price"]}


def test_the_log_tells_what_became_of_it(run: Run, services: FakeServices) -> None:
    assert run("log") == "Nothing was sent yet.\n"
    assert run("list") == "No alerts yet.\n"
    view = add_phone(run)
    services.fake_alerts.notifiers.refusal = ChannelRefused("Verify it.", answer="21608")
    run("channels", "test", "phone", code=FAILED)
    assert "Verify it." in run("log", "--channel", "phone", "--state", "failed")
    with services.fake_alerts.store.transaction() as tx:
        [test] = tx.deliveries.select()
        lost = {"id": f"a1:{view['id']}", "alert_id": "a1", "is_test": False}
        tx.deliveries.add(test.model_copy(update=lost))
    assert "sent again through 'Phone'" in run("again", f"a1:{view['id']}")
    assert "0 sent today" in run("log")
    assert "waiting" in run("log", "--state", "waiting")


def test_a_message_is_sent_by_hand(run: Run, services: FakeServices) -> None:
    assert "on its way" in run("send", "look here", "--level", "warning")
    [event] = services.programs.events
    assert (event.kind, event.message) == ("alert.manual", "look here")


def test_prices_are_watched_and_no_more(run: Run, services: FakeServices) -> None:
    assert "No price alerts yet" in run("price", "list")
    said = run(
        "price", "add", "BTC/USDT", "above", "70000", "--market", "simulated", "--note", "up"
    )
    assert "when BTC/USDT is above 70000 USDT" in said
    [alert] = services.alerts.price_alerts()
    assert "armed" in run("price", "list")
    assert "is deleted" in run("price", "delete", alert.id)
    assert services.alerts.price_alerts() == []


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (("channels", "add", "A", "--kind", "pigeon"), "", "pigeon"),
        (("channels", "add", "A", "--kind", "sms", *PLAIN), "", "Auth token is missing"),
        (("channels", "add", "A", "--kind", "sms", *PLAIN), TOKEN, "Line 1 on stdin"),
        (("channels", "add", "A", "--kind", "sms", "--field", f"auth_token={TOKEN}"), "",
         "'auth_token' is a secret"),
        (("channels", "add", "A", "--kind", "sms", "--field", "sender"), SECRETS, "NAME=VALUE"),
        (("channels", "add", "A", "--kind", "sms", TOKEN), SECRETS, "unexpected"),
        (("channels", "set", "nobody", "--on"), "", "no channel 'nobody'"),
        (("channels", "set", "nobody"), "", "Nothing to change"),
        (("channels", "set", "nobody", "--quiet", "night"), "", "--quiet: 'night' is not"),
        (("channels", "set", "nobody", "--digest-window", "soon"), "", "--digest-window: 'soon'"),
        (("channels", "test", ".."), "", "named by its name or id"),
        (("channels", "delete", "nobody"), "", "no channel 'nobody'"),
        (("matrix", "set", "all", "price", "maybe"), "", "neither on nor off"),
        (("matrix", "set", "all", "news", "on"), "", "no kind 'news'"),
        (("matrix", "set", "nobody", "price", "on"), "", "no channel 'nobody'"),
        (("again", "nothing"), "", "no delivery 'nothing'"),
        (("again", ".."), "", "by its id"),
        (("send", " "), "", "text"),
        (("price", "add", "BTC/USDT", "above", "cheap", "--market", "simulated"), "", "price"),
        (("price", "delete", "nothing"), "", "no price alert 'nothing'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_in_one_sentence(
    services: FakeServices, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...], stdin: str, words: str,
) -> None:  # fmt: skip
    monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
    assert main(["alerts", *arguments]) == BAD_INPUT
    out, err = capsys.readouterr()
    assert words.casefold() in err.casefold()
    assert (out, err.count("\n")) == ("", 1)
    if "unexpected" not in words:  # what stood on the command line is repeated as it was typed
        assert TOKEN not in err


def test_every_command_of_the_group_went_well_here() -> None:
    group = typer.main.get_command(build())
    names = set()
    for name, one in group.commands.items():  # type: ignore[attr-defined]
        names |= {f"{name} {verb}" for verb in getattr(one, "commands", ())} or {name}
    assert names == RAN
