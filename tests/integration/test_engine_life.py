"""An engine's start and end: graceful in time whatever runs, and one sentence when it cannot be."""

import os
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
import pytest

from tests.fakes.strategy_files import write_strategy
from tests.support.client import Client, eventually
from tests.support.market import eth_btc
from tests.support.ports import free_port
from tests.support.processes import Copy, begin, copy_as_delivered, copy_of_quarterdeck
from tests.support.strategy_hosts import is_running
from tooling.place import ROOT


class Ended(NamedTuple):
    """An engine that has come to its end: its exit code, and all that it printed."""

    code: int
    words: str


def run_engine(data: Path, **variables: str) -> Ended:
    """Run ``python -m engine`` to its end over a data folder."""
    environment = {name: value for name, value in os.environ.items() if "QUARTERDECK" not in name}
    environment |= {
        "QUARTERDECK_DATA": str(data),
        "QUARTERDECK_API_PORT": str(free_port()),
        **variables,
    }
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "engine.out"
        code = begin(["engine"], environment, log).wait(timeout=120)
        return Ended(code, log.read_text("utf-8"))


def refusal(ended: Ended) -> str:
    """The one sentence with which an engine refused to start."""
    assert ended.code == 2, ended.words
    assert "Traceback" not in ended.words
    [sentence] = ended.words.splitlines()
    assert sentence.endswith(".") and len(sentence) < 400
    return sentence


def end(copy: Copy, how: signal.Signals) -> str:
    """Send a signal and wait for a graceful end; what the engine had printed by then.

    The wait is far shorter than the two minutes that the hanging strategies of these tests take.
    """
    assert copy.engine is not None
    copy.engine.send_signal(how)
    assert copy.engine.wait(timeout=90) == 0, copy.engine_log.read_text("utf-8")
    return copy.engine_log.read_text("utf-8")


def _ask_in_vain(client: Client) -> None:
    with suppress(httpx.TransportError):  # the engine may end before it answers
        client.ask("GET", "/bots/hanging/chart")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_in_time_while_a_replay_runs_and_a_strategy_hangs(
    tmp_path: Path, how: signal.Signals
) -> None:
    folder = tmp_path / "strategies"
    folder.mkdir()
    write_strategy(folder, "hanging", act="time.sleep(600)")
    write_strategy(folder, "calm")
    with copy_of_quarterdeck(
        tmp_path / "data",
        QUARTERDECK_STRATEGIES=str(folder),
        QUARTERDECK_STRATEGY_DEADLINE_S="120",
        QUARTERDECK_STRATEGY_WORKERS="2",
    ) as copy:
        copy.start_engine()
        client = Client(copy)
        assert client.get("/overview")["bots"] == []
        replay = client.create_bot(
            name="replay", market=f"replay:{eth_btc(tmp_path)}", symbol="ETH/BTC", timeframe="5m",
            strategy="calm", params={}, amount="1",
        )  # fmt: skip
        hanging = client.create_bot(name="hanging", strategy="hanging", params={})
        for bot in (replay, hanging):
            client.post(f"/bots/{bot['id']}/start")
        eventually(lambda: client.bot("replay")["decided_until"], bool)
        client.wait_for_state("hanging", "running")
        time.sleep(1.1)  # a check of the hanging bot has begun
        assert client.bot("replay")["state"] == "running"
        chart = threading.Thread(target=_ask_in_vain, args=(client,))
        chart.start()  # a request that waits for the strategy, too
        assert copy.engine is not None
        workers = psutil.Process(copy.engine.pid).children(recursive=True)
        assert workers
        assert "Traceback" not in end(copy, how)
        assert not [worker for worker in workers if is_running(worker.pid)]
        chart.join()


def test_row_31_a_second_engine_on_the_same_data_is_refused(quarterdeck: Copy) -> None:
    quarterdeck.start_engine()
    assert quarterdeck.engine is not None
    sentence = refusal(run_engine(quarterdeck.place.data))
    assert f"Another engine (process {quarterdeck.engine.pid})" in sentence
    assert str(quarterdeck.place.data) in sentence
    assert Client(quarterdeck).get("/overview")["bots"] == []
    assert "Traceback" not in end(quarterdeck, signal.SIGINT)


def test_the_token_is_for_its_owner_alone_and_a_loose_one_is_replaced(quarterdeck: Copy) -> None:
    quarterdeck.start_engine()
    file = quarterdeck.place.data / "api.token"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = quarterdeck.token
    quarterdeck.stop_engine()
    file.chmod(0o644)
    quarterdeck.start_engine()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert quarterdeck.token not in ("", first)
    Client(quarterdeck).get("/overview")


def _used_port(folder: Path) -> Ended:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return run_engine(folder / "data", QUARTERDECK_API_PORT=str(server.getsockname()[1]))


def _below_a_file(folder: Path) -> Ended:
    (folder / "file").write_text("not a folder")
    return run_engine(folder / "file" / "data")


def _is_a_file(folder: Path) -> Ended:
    (folder / "data").write_text("not a folder")
    return run_engine(folder / "data")


def _logs_is_a_file(folder: Path) -> Ended:
    (folder / "data").mkdir()
    (folder / "data" / "logs").write_text("not a folder")
    return run_engine(folder / "data")


def _token_is_a_folder(folder: Path) -> Ended:
    (folder / "data" / "api.token").mkdir(parents=True)
    return run_engine(folder / "data")


def _not_a_file_system(_folder: Path) -> Ended:
    return run_engine(Path("/proc/1/quarterdeck"))


def _corrupt(folder: Path) -> Ended:
    (folder / "data").mkdir()
    (folder / "data" / "state.db").write_bytes(b"this is no database at all " * 400)
    return run_engine(folder / "data")


def _newer(folder: Path) -> Ended:
    (folder / "data").mkdir()
    with closing(sqlite3.connect(folder / "data" / "state.db")) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999_from_the_future')")
        connection.commit()
    return run_engine(folder / "data")


def _question_mark(folder: Path) -> Ended:
    return run_engine(folder / "what?cache=shared")


def _no_workers(folder: Path) -> Ended:
    return run_engine(folder / "data", QUARTERDECK_STRATEGY_WORKERS="0")


def _port_abc(folder: Path) -> Ended:
    return run_engine(folder / "data", QUARTERDECK_API_PORT="abc")


def _no_such_driver(folder: Path) -> Ended:
    return run_engine(folder / "data", QUARTERDECK_DATABASE_URL="oracle+nothing://x/y")


def _no_url(folder: Path) -> Ended:
    return run_engine(folder / "data", QUARTERDECK_DATABASE_URL="nonsense")


def _nobody_there(folder: Path) -> Ended:
    url = f"postgresql+psycopg://me:hush-hush@127.0.0.1:{free_port()}/nowhere"
    ended = run_engine(folder / "data", QUARTERDECK_DATABASE_URL=url)
    assert "hush-hush" not in ended.words
    return ended


REFUSED: dict[str, tuple[Callable[[Path], Ended], str]] = {
    "used_port": (_used_port, "is used by another program"),
    "below_a_file": (_below_a_file, "cannot be written"),
    "is_a_file": (_is_a_file, "cannot be written"),
    "logs_is_a_file": (_logs_is_a_file, "logs"),
    "token_is_a_folder": (_token_is_a_folder, "api.token cannot be used"),
    "not_a_file_system": (_not_a_file_system, "cannot be written"),
    "corrupt": (_corrupt, "damaged or is not a database"),
    "newer": (_newer, "a newer version of Quarterdeck (9999_from_the_future)"),
    "question_mark": (_question_mark, "QUARTERDECK_DATA"),
    "no_workers": (_no_workers, "QUARTERDECK_STRATEGY_WORKERS"),
    "port_abc": (_port_abc, "QUARTERDECK_API_PORT"),
    "no_such_driver": (_no_such_driver, "database"),
    "no_url": (_no_url, "database"),
    "nobody_there": (_nobody_there, "cannot be opened"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_it_cannot_start_with_is_one_sentence(tmp_path: Path, name: str) -> None:
    attempt, words = REFUSED[name]
    assert words in refusal(attempt(tmp_path))


def test_a_data_folder_that_may_not_be_written_is_one_sentence(tmp_path: Path) -> None:
    """As somebody who is not root: root may write everywhere."""
    data = tmp_path / "data"
    data.mkdir(mode=0o555)
    code = (
        "import os, sys, pathlib\n"
        "from engine.bootstrap import run_engine\n"
        "from engine.settings import Settings\n"
        "if os.geteuid() == 0: os.setegid(65534); os.seteuid(65534)\n"
        f"sys.exit(run_engine(Settings(data=pathlib.Path({str(data)!r}), api_port={free_port()})))"
    )
    for folder in (tmp_path, *tmp_path.parents):
        if Path(tempfile.gettempdir()) in folder.parents:
            folder.chmod(0o755)
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, timeout=120,
                           capture_output=True, check=False)  # fmt: skip
    assert "cannot be written (Permission denied)" in refusal(Ended(ended.returncode, ended.stderr))


def test_a_malformed_env_file_is_one_sentence(tmp_path: Path) -> None:
    """Over a copy of the project's settings module, whose ``.env`` lies beside it."""
    for folder in ("domain", "links"):
        shutil.copytree(ROOT / "engine" / folder, tmp_path / "engine" / folder)
    settings = [file.name for file in (ROOT / "engine").glob("settings*.py")]
    for name in ("__init__.py", "errors.py", *settings):
        target = tmp_path / "engine" / name
        target.write_bytes((ROOT / "engine" / name).read_bytes())
    for text in (b"QUARTERDECK_API_PORT=abc\n", b"\xff\xfe\x00 not text\n", b"=\n'''\n"):
        (tmp_path / ".env").write_bytes(text)
        code = (
            "from engine.errors import ConfigError\nfrom engine.settings import load_settings\n"
            "try:\n    print(load_settings().api_port)\n"
            "except ConfigError as error:\n    print(error.message)\n"
        )
        ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, text=True, timeout=90,
                               capture_output=True, check=False)  # fmt: skip
        assert "Traceback" not in ended.stderr, ended.stderr
        [sentence] = ended.stdout.splitlines()
        assert sentence == "8710" or "QUARTERDECK_API_PORT" in sentence or ".env" in sentence


def test_two_data_folders_on_one_postgresql(tmp_path: Path, postgres_url: str) -> None:
    variables = {"QUARTERDECK_DATABASE_URL": postgres_url, "QUARTERDECK_LEASE_TTL_S": "12"}
    with (
        copy_of_quarterdeck(tmp_path / "one", **variables) as first,
        copy_of_quarterdeck(tmp_path / "two", **variables) as second,
    ):
        first.start_engine()
        bot = Client(first).create_bot(name="mine")
        sentence = refusal(run_engine(second.place.data, **variables))
        assert "holds this database until" in sentence
        assert str(first.place.data) in sentence

        first.kill_engine()
        assert "holds this database" in refusal(run_engine(second.place.data, **variables))
        eventually(lambda: _may_start(second), bool, every_s=0.5)
        assert Client(second).bot("mine")["id"] == bot["id"]

        # The other way round: a graceful stop lets the next one in at once.
        second.stop_engine()
        first.start_engine()
        assert Client(first).bot("mine")["id"] == bot["id"]


def _may_start(copy: Copy) -> bool:
    try:
        copy.start_engine()
    except RuntimeError:
        return False
    return True


def test_a_graceful_stop_and_a_start_are_written_down(tmp_path: Path) -> None:
    """Started as people do: other tests' engines are forked."""
    with copy_as_delivered(tmp_path / "data") as copy:
        copy.start_engine()
        assert copy.stop_engine() == 0
        copy.start_engine()
        kinds = [event["kind"] for event in Client(copy).get("/events")]
        assert kinds == ["engine.started", "engine.stopped", "engine.started"]
        assert (copy.place.data / "engine.lock").exists()
