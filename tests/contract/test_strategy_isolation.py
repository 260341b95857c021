"""What only worker processes can do: strategies that misbehave hurt nobody but themselves."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from engine.adapters.strategies.host import StrategyHost
from engine.errors import DataError, StrategyError
from tests.fakes.candles import flat_candles, random_candles
from tests.fakes.strategy_files import write_strategy
from tests.fakes.strategy_host import FakeStrategyHost
from tests.support.strategy_hosts import (
    CANDLES,
    copy_strategies,
    has_ended,
    is_running,
    strategy_host,
    until,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A strategies folder: those of the project, and what tests drop in."""
    folder = tmp_path_factory.mktemp("strategies")
    copy_strategies(folder)
    return folder


@pytest.fixture(scope="module")
def host(folder: Path) -> Iterator[StrategyHost]:
    """One real host for the file; each test brings its own strategy files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUARTERDECK_BINANCE_TEST_SECRET", "canary")
        patch.setenv("BINANCE_API_KEY", "canary")
        with strategy_host(folder) as host:
            host.list()
            yield host


# --- strategies that misbehave ------------------------------------------------------------------

MISDEEDS = {
    "loops": ("while True: pass", "did not answer within 1 s"),
    "ignores_signals": (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)",
        "did not answer within 1 s",
    ),
    "swallows": ("\n        while True:\n            try: time.sleep(9)\n            except: pass",
                 "did not answer within 1 s"),
    "stuck_in_c": ("10 ** (10 ** 9)", "did not answer within 1 s"),
    "exits_hard": ("os._exit(7)", "its process ended with exit code 7"),
    "exits": ("sys.exit(7)", "line 18: SystemExit: 7"),
    "crashes": ("os.kill(os.getpid(), 11)", "its process was ended by SIGSEGV"),
    "raises": ("raise ValueError('no\\nidea')", "line 18: ValueError: no idea"),
    "recurses": ("exec('def f(): f()\\nf()', {})", "RecursionError: maximum recursion"),
    "hogs": ("x = np.ones(200_000_000)", "ran out of memory"),
    "short": ("above = above[:-1]", "has the shape (49,), expected (50,)"),
    "numbers": ("above = candles.close", "line 19: TypeError"),
    "nonsense": ("above = None", "line 19: TypeError"),
    "closes_channel": ("os.closerange(0, 64); time.sleep(60)", "it closed its channel"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISDEEDS)
def test_row_28_a_misdeed_is_a_strategy_error_and_the_next_call_works(
    host: StrategyHost, folder: Path, name: str
) -> None:
    act, words = MISDEEDS[name]
    write_strategy(folder, name, act)
    with pytest.raises(StrategyError) as caught:
        host.decide(name, {}, CANDLES)
    assert caught.value.message.startswith(f"strategy '{name}': ")
    assert words in caught.value.message
    assert "\n" not in caught.value.message
    assert host.decide("rsi", {}, CANDLES).reason == "RSI 50.0 is between 30 and 70"


def test_row_28_memory_is_limited_and_a_leak_costs_the_worker_before_it_hurts(
    tmp_path: Path,
) -> None:
    write_strategy(tmp_path, "hogs", "x = [bytearray(20_000_000) for _ in range(10_000)]")
    write_strategy(tmp_path, "leaks", "sys.leak = getattr(sys, 'leak', []) + [b'x' * 100_000_000]")
    with strategy_host(tmp_path, workers=1, deadline_s=20, memory_mb=300) as host:
        with pytest.raises(StrategyError, match="memory"):
            host.decide("hogs", {}, CANDLES)
        for _ in range(5):
            assert host.decide("leaks", {}, CANDLES).reason == "calm"
            time.sleep(0.6)  # the worker looks at its memory twice a second


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ("confidence=np.full(50, 1.5)", "confidence"),
        ("confidence=np.full(50, np.nan)", "confidence"),
        ("size=np.zeros(50)", "size"),
        ("size=np.full(50, np.inf)", "size"),
        ("reason=lambda i: 7", "reason"),
    ],
)
def test_nonsense_answers_are_refused(
    host: StrategyHost, folder: Path, fields: str, words: str
) -> None:
    write_strategy(folder, "nonsense", f"return Signals(above, above, above, above, {fields})")
    with pytest.raises(StrategyError) as caught:
        host.decide("nonsense", {}, CANDLES)
    assert words in caught.value.message


def test_a_worker_cannot_run_code_in_the_engine(host: StrategyHost, folder: Path) -> None:
    """What a strategy writes into the channel itself is read as JSON, never as a pickle."""
    write_strategy(
        folder,
        "forger",
        "import pickle, socket, struct; m = pickle.dumps(os.getpid); "
        "[os.write(fd, struct.pack('!I', len(m)) + m) for fd in range(3, 64) "
        "if os.path.exists(f'/proc/self/fd/{fd}') and "
        "os.readlink(f'/proc/self/fd/{fd}').startswith('socket')]",
    )
    with pytest.raises(StrategyError, match="it wrote nonsense into the engine's channel"):
        host.decide("forger", {}, CANDLES)
    assert host.decide("rsi", {}, CANDLES).confidence == 1


def test_printing_disturbs_nothing(
    host: StrategyHost, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_strategy(
        folder,
        "prints",
        "[print('noise' * 100, file=f) for f in (sys.stdout, sys.stderr) for _ in range(5000)]; "
        "os.write(1, b'x' * 100_000); os.write(2, b'x' * 100_000)",
    )
    assert host.decide("prints", {}, CANDLES).reason == "calm"
    assert capfd.readouterr() == ("", "")


def test_a_worker_sees_no_settings_and_no_keys(host: StrategyHost, folder: Path) -> None:
    write_strategy(folder, "curious", reason="' '.join(sorted(os.environ)) + str(os.environ)")
    seen = host.decide("curious", {}, CANDLES).reason
    assert "PATH" in seen
    assert "canary" not in seen
    assert "QUARTERDECK" not in seen
    assert "HOME" not in seen
    write_strategy(
        folder,
        "imports",
        reason="str([m for m in ('sqlmodel', 'fastapi', 'engine.services') if m in sys.modules])",
    )
    assert host.decide("imports", {}, CANDLES).reason == "[]"


def test_row_28_what_a_strategy_leaves_running_dies_with_its_worker(
    host: StrategyHost, folder: Path, tmp_path: Path
) -> None:
    noted = tmp_path / "pid"
    write_strategy(
        folder,
        "forks",
        f"import subprocess; p = subprocess.Popen(['sleep', '60']); "
        f"pids = [p.pid] + [os.fork() or time.sleep(60) for _ in range(5)]; "
        f"open({str(noted)!r}, 'w').write(str(pids))",
    )
    assert host.decide("forks", {}, CANDLES).reason == "calm"
    children = json.loads(noted.read_text())
    assert len(children) == 6
    assert until(lambda: not any(is_running(child) for child in children), within_s=60)


def test_row_28_daemons_die_with_their_worker_too(
    host: StrategyHost, folder: Path, tmp_path: Path
) -> None:
    """They left its process group, and their parents are gone."""
    noted = tmp_path / "pids"
    daemon = "os.setsid(), os.fork() and os._exit(0), note(), time.sleep(60)"
    write_strategy(
        folder,
        "daemons",
        f"note = lambda: open({str(noted)!r}, 'a').write(str(os.getpid()) + '\\n'); "
        f"[os.fork() or ({daemon}) for _ in range(3)]; time.sleep(0.3)",
    )
    assert host.decide("daemons", {}, CANDLES).reason == "calm"
    daemons = [int(pid) for pid in noted.read_text().split()]
    assert len(daemons) == 3
    assert until(lambda: not any(is_running(pid) for pid in daemons), within_s=60)


def test_row_28_a_worker_may_start_few_processes(host: StrategyHost) -> None:
    for pid in host.worker_pids():
        most, hard = psutil.Process(pid).rlimit(psutil.RLIMIT_NPROC)
        assert 0 < most == hard < 10_000


def test_a_copy_made_by_fork_answers_nothing(host: StrategyHost, folder: Path) -> None:
    write_strategy(folder, "doubles", "os.fork()", reason="str(candles.close[-1])")
    for price in (2.0, 3.0, 4.0):
        assert host.decide("doubles", {}, flat_candles(20, price)).reason == str(price)
        assert host.decide("rsi", {}, flat_candles(20, price)).values == {"RSI": 50.0}


def test_workers_killed_while_idle_are_replaced_and_nobody_notices(host: StrategyHost) -> None:
    before = host.worker_pids()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    assert until(lambda: all(has_ended(pid) for pid in before), within_s=60)
    assert host.decide("rsi", {}, CANDLES).values == {"RSI": 50.0}
    assert until(lambda: len(host.worker_pids() - before) >= 2, within_s=60)


# --- many at once -------------------------------------------------------------------------------


def test_a_thousand_calls_from_eight_threads(folder: Path) -> None:
    histories = [random_candles(200, seed) for seed in range(10)]
    fake = FakeStrategyHost()
    expected = [fake.decide("macd", {}, candles) for candles in histories]

    with strategy_host(folder, deadline_s=60) as patient, ThreadPoolExecutor(8) as threads:

        def ask(number: int) -> bool:
            return patient.decide("macd", {}, histories[number % 10]) == expected[number % 10]

        assert all(threads.map(ask, range(1000)))


def test_row_28_hanging_strategies_do_not_delay_others(host: StrategyHost, folder: Path) -> None:
    names = [f"hanging_{number}" for number in range(2)]
    for name in names:
        write_strategy(folder, name, "time.sleep(60)")
    host.decide("rsi", {}, CANDLES)  # its worker has started

    def hang(number: int) -> str:
        with pytest.raises(StrategyError) as caught:
            host.decide(names[number % 2], {}, CANDLES)
        return caught.value.message

    with ThreadPoolExecutor(10) as threads:
        hung = [threads.submit(hang, number) for number in range(6)]
        time.sleep(0.3)
        answered = 0
        while not all(future.done() for future in hung):
            host.decide("rsi", {}, CANDLES)
            answered += 1
            time.sleep(0.01)
        assert all("did not answer within 1 s" in future.result() for future in hung)
        assert answered > 8  # about three, had they to wait for the hung ones
        # Now it is known to hang: two run, four wait, the others are not kept waiting.
        messages = [future.result() for future in [threads.submit(hang, 0) for _ in range(8)]]
    assert sum("still busy with earlier calls" in message for message in messages) == 2
    assert until(lambda: len(host.worker_pids()) >= 2, within_s=60)


# --- ends ---------------------------------------------------------------------------------------


def test_close_ends_every_worker_and_calls_under_way(tmp_path: Path) -> None:
    under_way = tmp_path / "under_way"
    write_strategy(tmp_path, "sleeps", f"open({str(under_way)!r}, 'w').close(); time.sleep(600)")
    failures: list[StrategyError] = []

    def call(host: StrategyHost) -> None:
        with pytest.raises(StrategyError) as caught:
            host.decide("sleeps", {}, CANDLES)
        failures.append(caught.value)

    with strategy_host(tmp_path, workers=1, deadline_s=120) as host:
        caller = threading.Thread(target=call, args=(host,))
        caller.start()
        assert until(under_way.exists, within_s=90)
        pids = host.worker_pids()
    caller.join(timeout=60)
    assert len(failures) == 1
    assert not any(is_running(pid) for pid in pids)
    with pytest.raises(DataError, match="stopping"):
        host.decide("sleeps", {}, CANDLES)


@pytest.mark.parametrize("act", ["while True: pass", "pass"])
def test_workers_end_when_the_engine_is_killed(tmp_path: Path, act: str) -> None:
    write_strategy(tmp_path, "subject", act)
    engine = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(f"""
            import threading
            from pathlib import Path
            from engine.adapters.strategies.host import StrategyHost
            from tests.fakes.candles import flat_candles
            host = StrategyHost(Path({str(tmp_path)!r}), workers=2, deadline_s=60, memory_mb=512)
            call = lambda: host.decide("subject", {{}}, flat_candles(20))
            threading.Thread(target=call, daemon=True).start()
            while len(host.worker_pids()) < 2:
                pass
            print(*host.worker_pids(), flush=True)
            threading.Event().wait()
        """)],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with engine:
        assert engine.stdout is not None
        pids = [int(pid) for pid in engine.stdout.readline().split()]
        assert len(pids) == 2
        assert all(is_running(pid) for pid in pids)
        os.kill(engine.pid, signal.SIGKILL)
        engine.wait()
        assert until(lambda: not any(is_running(pid) for pid in pids), within_s=60)
