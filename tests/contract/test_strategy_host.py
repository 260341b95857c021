"""The strategy host: a contract for the real one and the fake, then what only processes can do."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from engine.adapters.strategies.host import StrategyHost
from engine.domain.decisions import Intent
from engine.errors import ConfigError, NotFound, StrategyError
from engine.ports import StrategyHost as StrategyHostPort
from tests.fakes.candles import flat_candles, random_candles
from tests.fakes.strategy_files import BROKEN, write_strategy
from tests.fakes.strategy_host import STRATEGIES, FakeStrategyHost

DEADLINE_S = 1.0
MEMORY_MB = 400
CANDLES = flat_candles(50, price=2.0)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A strategies folder: those of the project, and what tests drop in."""
    folder = tmp_path_factory.mktemp("strategies")
    for path in STRATEGIES.glob("*.py"):
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def host(folder: Path) -> Iterator[StrategyHost]:
    """One real host for the file; each test brings its own strategy files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QUARTERDECK_SECRET", "canary")
        patch.setenv("BINANCE_API_KEY", "canary")
        host = StrategyHost(folder, workers=2, deadline_s=DEADLINE_S, memory_mb=MEMORY_MB)
        host.list()
        yield host
        host.close()


@pytest.fixture(params=["real", "fake"])
def any_host(request: pytest.FixtureRequest) -> StrategyHostPort:
    """Each implementation of the port."""
    if request.param == "fake":
        return FakeStrategyHost()
    real: StrategyHost = request.getfixturevalue("host")
    return real


# --- the contract -------------------------------------------------------------------------------


def test_lists_the_strategies_sorted_without_the_template(any_host: StrategyHostPort) -> None:
    ids = [info.id for info in any_host.list()]
    assert ids == sorted(ids)
    assert {"rsi", "ma_cross", "macd", "bollinger", "enhanced"} <= set(ids)
    assert not any(strategy_id.startswith("_") for strategy_id in ids)


def test_describes_a_strategy(any_host: StrategyHostPort) -> None:
    info = any_host.get("rsi")
    assert (info.id, info.title, info.warmup, info.history) == ("rsi", "RSI", 15, 600)
    assert info.error is None
    assert "What it does" in info.doc
    period = info.parameters["properties"]["period"]
    assert (period["default"], period["minimum"], period["maximum"]) == (14, 2, 200)
    assert (period["title"], period["unit"]) == ("Period", "candles")


def test_fills_in_defaults_and_reads_text(any_host: StrategyHostPort) -> None:
    assert any_host.validate("rsi", {"period": "21"}) == {
        "period": 21,
        "oversold": 30.0,
        "overbought": 70.0,
    }


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"period": 1}, "params.period"),
        ({"period": True}, "params.period"),
        ({"oversold": float("nan")}, "params.oversold"),
        ({"oversold": 90}, "params"),
        ({"__class__": 1}, "params.__class__"),
    ],
)
def test_wrong_parameters_name_the_field(
    any_host: StrategyHostPort, params: dict[str, object], field: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        any_host.validate("rsi", params)
    assert caught.value.field == field
    with pytest.raises(ConfigError):
        any_host.decide("rsi", params, CANDLES)


@pytest.mark.parametrize("strategy_id", ["nowhere", "", "../rsi", "rsi.py", "_template", "rsi\n"])
def test_unknown_strategies_are_not_found(any_host: StrategyHostPort, strategy_id: str) -> None:
    with pytest.raises(NotFound):
        any_host.get(strategy_id)
    with pytest.raises(NotFound):
        any_host.validate(strategy_id, {})
    with pytest.raises(NotFound):
        any_host.history(strategy_id, {})
    with pytest.raises(NotFound):
        any_host.decide(strategy_id, {}, CANDLES)


def test_every_strategy_decides_alike_in_any_host(host: StrategyHost) -> None:
    fake, candles = FakeStrategyHost(), random_candles(400, 11)
    for info in fake.list():
        assert host.decide(info.id, {}, candles) == fake.decide(info.id, {}, candles)
        assert host.plots(info.id, {}, candles) == fake.plots(info.id, {}, candles)
        assert host.history(info.id, {}) == fake.history(info.id, {}) >= info.warmup


def test_plots_have_the_candles_length_and_none_while_warming_up(
    any_host: StrategyHostPort,
) -> None:
    (plot,) = any_host.plots("rsi", {"period": 5, "oversold": 20}, random_candles(60, 1))
    assert (plot.name, plot.is_overlay, plot.levels) == ("RSI", False, (20.0, 70.0))
    assert len(plot.values) == 60
    assert [value is None for value in plot.values] == [True] * 5 + [False] * 55


def test_too_few_candles_are_a_hold_with_a_reason(any_host: StrategyHostPort) -> None:
    for count in (0, 14):
        intent = any_host.decide("rsi", {}, flat_candles(count))
        assert intent == Intent(reason=f"warming up: {count} of 15 candles", confidence=0)


# --- files that come, change and break ----------------------------------------------------------


def until(condition: Callable[[], bool], within_s: float) -> bool:
    ends_at = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > ends_at:
            return False
        time.sleep(0.05)
    return True


def test_a_dropped_in_file_appears_changes_and_goes(host: StrategyHost, folder: Path) -> None:
    path = write_strategy(folder, "dropped", reason="'first'")
    assert host.decide("dropped", {}, CANDLES).reason == "first"
    assert until(lambda: "dropped" in [info.id for info in host.list()], within_s=2)
    # The same length, within the same second: only the nanoseconds of the file's time differ.
    write_strategy(folder, "dropped", reason="'again'")
    assert host.decide("dropped", {}, CANDLES).reason == "again"
    assert host.history("dropped", {}) == 500
    path.unlink()
    with pytest.raises(NotFound):
        host.decide("dropped", {}, CANDLES)
    assert until(lambda: "dropped" not in [info.id for info in host.list()], within_s=2)


def test_broken_files_are_listed_with_their_error_and_break_no_other(tmp_path: Path) -> None:
    for name, (text, _error) in BROKEN.items():
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "_private.py").write_text("1 / 0")
    write_strategy(tmp_path, "good")
    host = StrategyHost(tmp_path, workers=2, deadline_s=DEADLINE_S, memory_mb=MEMORY_MB)
    try:
        assert host.decide("good", {}, CANDLES).enter_long
        shown = {name: error for name, (_text, error) in BROKEN.items()} | {"good": None}
        errors: dict[str, str | None] = {}

        def is_settled() -> bool:
            errors.update({info.id: info.error for info in host.list()})
            return errors == shown

        until(is_settled, within_s=15)
        assert errors == shown
        with pytest.raises(StrategyError, match=r"strategy 'syntax': line 1: SyntaxError"):
            host.get("syntax")
        with pytest.raises(StrategyError, match=r"strategy 'no_class': a file must define"):
            host.validate("no_class", {})
        write_strategy(tmp_path, "syntax")
        assert host.get("syntax").error is None
    finally:
        host.close()


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
def test_a_misdeed_is_a_strategy_error_and_the_next_call_works(
    host: StrategyHost, folder: Path, name: str
) -> None:
    act, words = MISDEEDS[name]
    write_strategy(folder, name, act)
    started = time.monotonic()
    with pytest.raises(StrategyError) as caught:
        host.decide(name, {}, CANDLES)
    assert caught.value.message.startswith(f"strategy '{name}': ")
    assert words in caught.value.message
    assert "\n" not in caught.value.message
    assert time.monotonic() - started < DEADLINE_S + 2
    assert host.decide("rsi", {}, CANDLES).reason == "RSI 50.0 is between 30 and 70"


def test_memory_is_limited_and_a_leak_costs_the_worker_before_it_hurts(tmp_path: Path) -> None:
    write_strategy(tmp_path, "hogs", "x = [bytearray(20_000_000) for _ in range(10_000)]")
    write_strategy(tmp_path, "leaks", "sys.leak = getattr(sys, 'leak', []) + [b'x' * 50_000_000]")
    host = StrategyHost(tmp_path, workers=1, deadline_s=20, memory_mb=300)
    try:
        with pytest.raises(StrategyError, match="memory"):
            host.decide("hogs", {}, CANDLES)
        for _ in range(12):
            assert host.decide("leaks", {}, CANDLES).reason == "calm"
            time.sleep(0.3)  # the worker looks at its memory now and then
    finally:
        host.close()


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


def test_what_a_strategy_leaves_running_dies_with_its_worker(
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
    assert until(lambda: not any(is_running(child) for child in children), within_s=3)


def test_a_copy_made_by_fork_answers_nothing(host: StrategyHost, folder: Path) -> None:
    write_strategy(folder, "doubles", "os.fork()", reason="str(candles.close[-1])")
    for price in (2.0, 3.0, 4.0):
        assert host.decide("doubles", {}, flat_candles(20, price)).reason == str(price)
        assert host.decide("rsi", {}, flat_candles(20, price)).values == {"RSI": 50.0}


def is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


# --- many at once -------------------------------------------------------------------------------


def test_a_thousand_calls_from_eight_threads(host: StrategyHost) -> None:
    histories = [random_candles(200, seed) for seed in range(10)]
    fake = FakeStrategyHost()
    expected = [fake.decide("macd", {}, candles) for candles in histories]

    def ask(number: int) -> bool:
        return host.decide("macd", {}, histories[number % 10]) == expected[number % 10]

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(ask, range(1000)))


def test_hanging_strategies_do_not_delay_others(host: StrategyHost, folder: Path) -> None:
    names = [f"hanging_{number}" for number in range(2)]
    for name in names:
        write_strategy(folder, name, "time.sleep(60)")

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
        assert answered > 20  # about three, had they to wait for the hung ones
        # Now it is known to hang: two run, four wait, the others are not kept waiting.
        started = time.monotonic()
        messages = [future.result() for future in [threads.submit(hang, 0) for _ in range(8)]]
    assert sum("still busy with earlier calls" in message for message in messages) == 2
    assert time.monotonic() - started < 8 * DEADLINE_S
    assert until(lambda: len(host.worker_pids()) >= 2, within_s=5)


# --- ends ---------------------------------------------------------------------------------------


def test_close_ends_every_worker_and_calls_under_way(tmp_path: Path) -> None:
    write_strategy(tmp_path, "sleeps", "time.sleep(60)")
    host = StrategyHost(tmp_path, workers=1, deadline_s=30, memory_mb=MEMORY_MB)
    failures: list[StrategyError] = []

    def call() -> None:
        with pytest.raises(StrategyError) as caught:
            host.decide("sleeps", {}, CANDLES)
        failures.append(caught.value)

    caller = threading.Thread(target=call)
    caller.start()
    assert until(lambda: bool(host.worker_pids()), within_s=10)
    time.sleep(0.2)
    pids = host.worker_pids()
    host.close()
    caller.join(timeout=5)
    assert len(failures) == 1
    assert not any(is_running(pid) for pid in pids)
    with pytest.raises(StrategyError, match="stopping"):
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
        assert until(lambda: not any(is_running(pid) for pid in pids), within_s=3)
