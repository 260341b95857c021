"""Accounts in the real engine: a bot with real money from its confirmation over a restart to its
last exit, and secrets that are nowhere to be found."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.client import Client, eventually
from tests.support.processes import Copy
from tests.support.venue_engine import VENUE, venue_engine

KEY, SECRET = "canary-key-77aa", "canary-secret-88bb"
BOT = {"name": "Real", "symbol": "BTC/USDT", "timeframe": "1m", "interval_s": 60}


class Engine(NamedTuple):
    """A running engine that knows the simulated venue."""

    copy: Copy
    client: Client


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with venue_engine(tmp_path / "data", VENUE_PATIENCE_S="10") as copy:
        copy.start_engine()
        yield Engine(copy, Client(copy))


def add(client: Client, name: str = "Main", key: str = KEY, mode: str = "live") -> dict[str, Any]:
    request = {"name": name, "venue": VENUE, "mode": mode,
               "secrets": {"key": key, "secret": SECRET}}  # fmt: skip
    made: dict[str, Any] = client.post("/venue-accounts", request)
    return made


def ask(client: Client, path: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
    """What a POST answers, and why."""
    answer = client.ask("POST", path, json=body)
    return answer.status_code, answer.json()["error"]["message"] if answer.is_error else ""


def enter(client: Client) -> dict[str, Any]:
    """An entry of a person's; the order as it ended."""
    ticket = {"purpose": "entry", "direction": "long", "quote_amount": "100"}
    [order] = client.post("/bots/Real/orders", ticket)
    return dict(order)


def everything_kept(folder: Path) -> Iterator[tuple[Path, bytes]]:
    return ((path, path.read_bytes()) for path in folder.rglob("*") if path.is_file())


def test_a_bot_with_real_money_from_its_confirmation_to_its_last_exit(engine: Engine) -> None:
    copy, client = engine
    account = add(client)
    assert (account["is_enabled"], account["trading_id"]) == (True, f"live:{account['id']}")
    market = next(one for one in client.get("/markets") if one["id"] == account["market_id"])
    assert (market["title"], market["mode"], market["venue"]) == ("Main", "live", "Simulated venue")
    paper = next(one for one in client.get("/markets") if one["id"] == account["prices_id"])
    assert (paper["mode"], paper["account"]) == ("paper", "Main")

    # Real money is confirmed, at the creation as at the start.
    config = {**BOT, "strategy": "rsi", "params": {}, "amount": "100", "market": market["id"],
              "stop_loss": None}  # fmt: skip
    preview = client.post("/bots/preview", config)
    assert (preview["mode"], preview["at_risk"], preview["loss_at_most"]) == ("live", "100", "100")
    assert ask(client, "/bots", config)[0] == 409
    assert ask(client, "/bots?confirm_name=Unreal", config)[0] == 422
    assert ask(client, "/bots?confirm_name=Real", config)[0] == 201
    assert ask(client, "/bots/Real/start") == (
        409, "'Real' would trade real money: type its name to confirm."
    )  # fmt: skip
    assert ask(client, "/bots/Real/start", {"confirm_name": "Real"})[0] == 200
    bot = client.wait_for_state("Real", "running")
    assert (bot["mode"], bot["account_name"]) == ("live", "Main")
    assert [one["account_name"] for one in client.get("/reconcile")] == ["Main"]
    assert enter(client)["state"] == "filled"
    eventually(lambda: client.bot("Real")["position"], bool)
    assert ask(client, "/bots/Real/clone", {"name": "Two"})[0] == 409

    # A bot on paper that is moved to real money is asked about, too.
    moved = {**config, "name": "Mover", "market": account["prices_id"]}
    assert client.post("/bots", moved)["mode"] == "paper"
    moved["market"] = market["id"]
    assert client.ask("PUT", "/bots/Mover", json=moved).status_code == 409
    client.call("PUT", "/bots/Mover?confirm_name=Mover", json=moved)
    assert client.bot("Mover")["account_id"] == account["trading_id"]
    client.call("PUT", "/bots/Mover", json={**moved, "amount": "50"})  # it is there already
    client.call("DELETE", "/bots/Mover")

    # A restart asks nobody.
    copy.stop_engine()
    copy.start_engine()
    client.wait_for_state("Real", "running")
    assert client.bot("Real")["position"] is not None

    # New secrets: the connection is opened anew, and the bot goes on.
    fresh = {"secrets": {"secret": "canary-secret-99cc"}}
    client.call("PATCH", "/venue-accounts/Main", json=fresh)
    assert enter(client)["state"] == "filled"
    other = client.ask("PATCH", "/venue-accounts/Main", json={"options": {"seed": 8}})
    assert other.status_code == 409

    # Disabled: no entries, but the position is not stranded.
    status, why = ask(client, "/venue-accounts/Main/disable")
    assert (status, "'Real' trade with 'Main'" in why) == (409, True)
    client.post("/venue-accounts/Main/disable", {"confirm": True})
    assert "is disabled" in client.bot("Real")["account_objection"]
    refused = enter(client)
    assert (refused["state"], "is disabled" in refused["error"]) == ("expired", True)
    assert client.post("/bots/Real/stop", {"close_position": True})
    client.wait_for_state("Real", "stopped")
    assert client.bot("Real")["position"] is None
    assert client.ask("DELETE", "/venue-accounts/Main").status_code == 409
    client.call("DELETE", "/bots/Real")
    client.call("DELETE", "/venue-accounts/Main")
    assert client.get("/venue-accounts") == []

    audit = client.get("/audit", limit=100)[::-1]
    assert {"account.add", "account.change", "account.disable", "account.delete"} <= {
        one["action"] for one in audit
    }
    asked = ("bot.create", "bot.running", "bot.edit")
    live, moves = account["trading_id"], [one for one in audit if one["action"] in asked]
    assert [one["detail"].get("confirmed_for") for one in moves] == [
        live, live, None, live, None  # Real made and started; Mover made on paper, moved, edited
    ]  # fmt: skip


def test_secrets_are_in_no_file_and_no_answer(engine: Engine) -> None:
    copy, client = engine
    made = add(client, mode="test")
    client.post("/venue-accounts/Main/test")
    for refused in ({"secrets": {"key": KEY}}, {"secrets": {"nope": SECRET, "key": KEY}}):
        request = {"name": "Other", "venue": VENUE, "mode": "test", **refused}
        answer = client.ask("POST", "/venue-accounts", json=request)
        assert answer.status_code == 422
        assert KEY not in answer.text
        assert SECRET not in answer.text
    withdraws = {"name": "Other", "venue": VENUE, "mode": "test",
                 "secrets": {"key": f"withdraws-{KEY}", "secret": SECRET}}  # fmt: skip
    answer = client.ask("POST", "/venue-accounts", json=withdraws)
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (422, "secrets")
    wrong = add(client, "Wrong", key=f"wrong-{KEY}", mode="test")
    assert not wrong["is_enabled"]
    assert wrong["inspection"]["checks"][0]["advice"] == "Copy the key again."
    assert made["secrets"] == ["key", "secret"]
    for path in ("/venue-accounts", "/venues", "/markets", "/settings", "/events?limit=500",
                 "/audit?limit=500", "/overview"):  # fmt: skip
        text = client.call("GET", path).text
        assert KEY not in text, path
        assert SECRET not in text, path
    copy.stop_engine()
    for file, content in everything_kept(copy.place.data):
        assert KEY.encode() not in content, file
        assert SECRET.encode() not in content, file
    log = copy.engine_log.read_text("utf-8", errors="replace")
    assert KEY not in log
    assert SECRET not in log


def test_with_another_key_the_engine_starts_and_the_account_says_so(engine: Engine) -> None:
    copy, client = engine
    market = add(client, mode="test")["market_id"]
    client.post("/bots", {**BOT, "strategy": "rsi", "params": {}, "amount": "100",
                          "market": market})  # fmt: skip
    client.post("/bots/Real/start")
    client.wait_for_state("Real", "running")
    assert enter(client)["state"] == "filled"
    copy.stop_engine()
    key = copy.place.data / "secret.key"
    kept = key.read_text()
    key.write_text("A" * 43 + "=")
    copy.start_engine()
    [account] = client.get("/venue-accounts")
    assert "does not open with this engine's key" in account["trouble"]
    assert ask(client, "/venue-accounts/Main/test")[0] == 422
    why = "does not open with this engine's key"
    eventually(lambda: client.bot("Real")["reason"], lambda reason: why in reason)
    copy.stop_engine()
    assert "Traceback" not in copy.engine_log.read_text("utf-8", errors="replace")
    key.chmod(0o644)
    copy.start_engine()
    [account] = client.get("/venue-accounts")
    assert "chmod 600" in account["trouble"]
    key.write_text(kept)
    key.chmod(0o600)
    [account] = client.get("/venue-accounts")
    assert account["trouble"] == ""
    assert client.post("/venue-accounts/Main/test")["is_usable"]
    client.wait_for_state("Real", "running")
    client.post("/bots/Real/stop", {"close_position": True})
    assert client.wait_for_state("Real", "stopped")["position"] is None


def test_an_account_whose_venue_hangs_is_kept_untested_until_it_answers(engine: Engine) -> None:
    copy, client = engine
    down = copy.place.data / "venue.down"
    down.touch()
    made = add(client, mode="test")
    assert (made["is_enabled"], made["inspection"]) == (False, None)
    assert "has not been tested" in made["objection"]
    down.unlink()
    assert client.post("/venue-accounts/Main/test")["is_enabled"]
