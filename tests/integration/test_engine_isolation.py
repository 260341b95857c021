"""A strategy that raises, hangs, dies or hoards faults its own bot and touches nobody else."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fakes.strategy_files import write_strategy
from tests.support.books import check_books, rows
from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_of_quarterdeck
from tests.support.strategy_hosts import is_running

WATCHED_S = 8
LEAST_DECIDED = 3

BAD = {
    "raising": ("raise ValueError('no idea')", "ValueError: no idea"),
    "hanging": ("exec('while True: pass')", "did not answer within 1 s"),
    "dying": ("os._exit(7)", "its process ended with exit code 7"),
    "hoarding": ("hoard = bytearray(2_000_000_000)", "memory"),
    "babbling": ("return 'buy, buy'", "AttributeError"),
    "forking": (
        "[os.fork() for _ in range(5)]; open('{pids}', 'a').write(str(os.getpid()) + '\\n'); "
        "os.getsid(0) == os.getpid() or os.setsid(); time.sleep(60)",
        "did not answer within 1 s",
    ),
}
"""Name: what it does on each candle, and what its bot says of it. The forks are 31, each in a
session of its own."""

LEAKING = "sys.leak = getattr(sys, 'leak', []) + [b'x' * 40_000_000]"


class Engine(NamedTuple):
    """A running engine and the folder of its strategies."""

    copy: Copy
    client: Client
    folder: Path


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    root = tmp_path_factory.mktemp("isolation")
    folder = root / "strategies"
    folder.mkdir()
    write_strategy(folder, "healthy", act="return Signals(*[candles.close < 0] * 4)")
    with copy_of_quarterdeck(
        root / "data",
        QUARTERDECK_STRATEGIES=str(folder),
        QUARTERDECK_STRATEGY_DEADLINE_S="1",
        QUARTERDECK_STRATEGY_MEMORY_MB="600",
        QUARTERDECK_STRATEGY_WORKERS="2",
    ) as copy:
        copy.start_engine()
        yield Engine(copy, Client(copy), folder)


def start_bot(engine: Engine, strategy: str) -> str:
    """A bot named after its strategy, started; its id."""
    bot = engine.client.create_bot(name=strategy, strategy=strategy, params={})
    engine.client.post(f"/bots/{bot['id']}/start")
    return str(bot["id"])


def seen(engine: Engine, strategy: str) -> dict[str, str | None]:
    """Strategy ids with their errors, once ``strategy`` is among them."""
    return eventually(
        lambda: {one["id"]: one["error"] for one in engine.client.get("/strategies")},
        lambda known: strategy in known and "being loaded" not in (known[strategy] or ""),
    )


def test_row_28_bad_strategies_fault_themselves_and_disturb_nobody(engine: Engine) -> None:
    client = engine.client
    healthy = start_bot(engine, "healthy")
    client.wait_for_state(healthy, "running")
    noted = engine.folder.parent / "pids"
    write_strategy(engine.folder, "leaking", act=LEAKING)
    start_bot(engine, "leaking")
    for name, (act, _) in BAD.items():
        write_strategy(engine.folder, name, act=act.replace("{pids}", str(noted)))
        start_bot(engine, name)
    began = client.get("/overview")["now"]
    time.sleep(WATCHED_S)
    for name, (_, words) in BAD.items():
        bot = client.wait_for_state(name, "faulted")
        assert bot["strategy_errors"] == 3
        assert bot["reason"].startswith("Strategy error 3 of 3: ")
        assert f"'{name}'" in bot["reason"] and words in bot["reason"], bot["reason"]
        errors = client.get("/events", bot_id=name, level="error")
        assert [event["kind"] for event in errors] == [
            "bot.faulted", "strategy.error", "strategy.error",
        ]  # fmt: skip

    forked = [int(pid) for pid in noted.read_text().split()]
    assert len(forked) > 31
    eventually(lambda: [pid for pid in forked if is_running(pid)], lambda left: not left)
    for key in (healthy, "leaking"):
        bot = client.bot(key)
        assert (bot["state"], bot["strategy_errors"], bot["reason"]) == ("running", 0, "")
    # How late they are is measured by tests/bench/test_isolation.py.
    decided = eventually(
        lambda: rows(
            engine.copy.place.data,
            "SELECT candle_time FROM decisions WHERE bot_id = ? AND candle_time > ?",
            healthy, began,
        ),
        lambda found: len(found) >= LEAST_DECIDED,
    )  # fmt: skip
    assert len({row["candle_time"] for row in decided}) == len(decided)


def test_a_faulted_bot_runs_again_once_its_file_is_mended(engine: Engine) -> None:
    write_strategy(engine.folder, "mended", act="raise KeyError('soon')")
    bot_id = start_bot(engine, "mended")
    engine.client.wait_for_state(bot_id, "faulted")
    write_strategy(engine.folder, "mended", reason="'well again'")
    engine.client.post(f"/bots/{bot_id}/start")
    bot = eventually(
        lambda: engine.client.bot(bot_id), lambda bot: bot["decided_until"] is not None
    )
    assert (bot["state"], bot["strategy_errors"], bot["reason"]) == ("running", 0, "")
    [newest] = engine.client.get(f"/bots/{bot_id}/decisions", limit=1)
    assert newest["trace"][1]["detail"] == "well again"


def test_an_edit_takes_effect_while_the_bot_runs(engine: Engine) -> None:
    write_strategy(engine.folder, "edited", act="above = above & False", reason="'first'")
    bot_id = start_bot(engine, "edited")

    def newest_reason() -> str:
        found = engine.client.get(f"/bots/{bot_id}/decisions", limit=1)
        return found[0]["trace"][1]["detail"] if found else ""

    assert eventually(newest_reason, bool) == "first"
    write_strategy(engine.folder, "edited", act="above = above & False", reason="'second'")
    eventually(newest_reason, lambda words: words == "second")


def test_a_file_dropped_in_is_offered_and_a_broken_one_is_shown(engine: Engine) -> None:
    write_strategy(engine.folder, "dropped")
    assert seen(engine, "dropped")["dropped"] is None
    (engine.folder / "broken.py").write_text("def signals(:\n")
    assert seen(engine, "broken")["broken"] == "line 1: SyntaxError: invalid syntax"
    refused = engine.client.ask(
        "POST", "/bots", json={"name": "x", "market": "simulated", "symbol": "BTC/USDT",
                               "strategy": "broken", "amount": "100"},
    )  # fmt: skip
    assert refused.status_code == 422
    assert "SyntaxError" in refused.json()["error"]["message"]

    (engine.folder / "broken.py").unlink()
    eventually(
        lambda: [one["id"] for one in engine.client.get("/strategies")],
        lambda known: "broken" not in known,
    )


def test_a_strategy_that_is_deleted_faults_nobody_and_says_so(engine: Engine) -> None:
    write_strategy(engine.folder, "passing")
    bot_id = start_bot(engine, "passing")
    engine.client.wait_for_state(bot_id, "running")
    (engine.folder / "passing.py").unlink()
    bot = eventually(lambda: engine.client.bot(bot_id), lambda bot: bot["reason"] != "")
    assert "there is no strategy 'passing'" in bot["reason"]
    assert bot["state"] == "running"
    assert engine.client.get(f"/bots/{bot_id}/chart")["series_error"]

    write_strategy(engine.folder, "passing")
    eventually(lambda: engine.client.bot(bot_id), lambda bot: bot["reason"] == "")


def test_workers_hold_no_token_and_no_settings(engine: Engine) -> None:
    """Strategy code sees neither the API token's folder nor a setting in its environment."""
    leak = engine.folder.parent / "environment.txt"
    write_strategy(
        engine.folder, "nosy", act=f"open({str(leak)!r}, 'w').write(repr(dict(os.environ)))"
    )
    start_bot(engine, "nosy")
    text = eventually(lambda: leak.read_text() if leak.exists() else "", bool)
    assert "QUARTERDECK" not in text and engine.copy.token not in text
    assert "PATH" in os.environ and "PATH" in text


def test_a_bot_without_funds_says_so_and_trades_once_there_are_some(engine: Engine) -> None:
    """Two bots of one account, which holds 100,000 USDT."""
    client = engine.client
    write_strategy(engine.folder, "buyer", act="above = candles.close > 0")
    changes = {"strategy": "buyer", "params": {}, "stop_loss": "0.9", "take_profit": "9"}
    client.create_bot(name="rich", amount="90000", **changes)
    client.create_bot(name="poor", amount="50000", **changes)
    client.post("/bots/rich/start")
    eventually(lambda: client.bot("rich")["position"], bool)
    client.post("/bots/poor/start")
    events = eventually(
        lambda: client.get("/events", bot_id="poor", kind="order.insufficient_funds"),
        lambda found: len(found) >= 2,
    )
    assert "USDT are free" in events[0]["message"]
    poor = client.bot("poor")
    assert (poor["state"], poor["position"], poor["strategy_errors"]) == ("running", None, 0)
    client.post("/bots/rich/stop", {"close_position": True})
    eventually(lambda: client.bot("poor")["position"], bool)
    client.post("/bots/poor/stop", {"close_position": True})
    for name in ("rich", "poor"):
        assert client.wait_for_state(name, "stopped")["position"] is None
        check_books(engine.copy.place.data, client.bot(name))
