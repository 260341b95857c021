"""Compute: one contract over processes, a real Dask cluster, and nothing at all."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.adapters.compute.dask_cluster import DaskCluster
from engine.adapters.compute.inline import InlineCompute
from engine.adapters.compute.process_pool import ProcessPool
from engine.errors import DataError
from engine.ports.compute import Compute, Outcome
from tests.support.strategy_hosts import until
from tests.support.tasks import deadly, endless, greedy, scaled, slow_pid, surroundings
from tests.support.tuning import Workbench, study_request
from tooling.place import ROOT

WORKERS = 3


class Results:
    """What came back, by index; each must come once."""

    def __init__(self) -> None:
        self.outcomes: dict[int, Outcome[Any]] = {}

    def __call__(self, index: int, outcome: Outcome[Any]) -> None:
        assert index not in self.outcomes
        self.outcomes[index] = outcome

    @property
    def values(self) -> list[Any]:
        return [self.outcomes[index].value for index in sorted(self.outcomes)]


def dask_process(*words: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", *words], cwd=ROOT, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """A scheduler and three workers, each a process of its own; the scheduler's address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    started = [dask_process("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port",
                            str(port), "--no-dashboard", "--no-show")]  # fmt: skip
    started += [
        dask_process("distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny",
                     "--no-dashboard", "--memory-limit", "0", "--death-timeout", "60")
        for _ in range(WORKERS)
    ]  # fmt: skip
    try:
        assert until(lambda: is_ready(address), within_s=40)
        yield address
    finally:
        for process in started:
            process.kill()
            process.wait()


def is_ready(address: str) -> bool:
    results = Results()
    try:
        with DaskCluster(address, connect_timeout_s=5).crew(0.01) as crew:
            crew.run(slow_pid, range(12), on_result=results)
    except DataError:
        return False
    return len({pid for _, pid in results.values}) == WORKERS


@pytest.fixture(params=["inline", "pool", "dask"])
def compute(request: pytest.FixtureRequest) -> Compute:
    """Each implementation of the port."""
    if request.param == "inline":
        return InlineCompute()
    if request.param == "pool":
        return ProcessPool(2)
    return DaskCluster(request.getfixturevalue("cluster"))


def test_every_item_comes_back_once_with_its_value_or_its_error(compute: Compute) -> None:
    with compute.crew(7) as crew:
        first, second = Results(), Results()
        assert crew.run(scaled, range(30), on_result=first)
        assert crew.run(scaled, [100], on_result=second)  # the crew is kept between runs
    assert first.values == [None if item == 13 else 7 * item for item in range(30)]
    assert first.outcomes[13].error == "ValueError: thirteen is unlucky"
    assert second.values == [700]


def test_nothing_to_do_is_done_at_once(compute: Compute) -> None:
    with compute.crew(1) as crew:
        assert crew.run(scaled, [], on_result=Results())


def test_a_cancelled_run_ends_soon(compute: Compute) -> None:
    results = Results()
    with compute.crew(0.05) as crew:
        is_whole = crew.run(
            slow_pid, range(1000), on_result=results, is_cancelled=lambda: len(results.outcomes) > 3
        )
    assert not is_whole
    assert 3 < len(results.outcomes) < 100


# --- processes ----------------------------------------------------------------------------------


def test_no_process_outlives_its_crew() -> None:
    results = Results()
    with ProcessPool(2).crew(0.05) as crew:
        crew.run(
            slow_pid, range(50), on_result=results, is_cancelled=lambda: len(results.outcomes) > 8
        )
    for _item, pid in results.values:
        assert not psutil.pid_exists(pid)


@pytest.mark.skipif(sys.platform == "win32", reason="kills by a signal")
def test_an_item_that_kills_its_worker_is_named_and_hurts_no_other(tmp_path: Any) -> None:
    results = Results()
    with ProcessPool(2).crew(str(tmp_path / "died-once")) as crew:
        crew.run(deadly, range(8), on_result=results)
    assert results.values == [0, 1, 2, None, 4, 5, 6, 7]
    assert "died 3 times" in str(results.outcomes[3].error)


def test_workers_have_no_keys_and_stand_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUARTERDECK_BINANCE_TEST_SECRET", "s3cret-of-the-test")
    results = Results()
    with ProcessPool(1).crew(None) as crew:
        crew.run(surroundings, [0], on_result=results)
    (seen,) = results.values
    assert "QUARTERDECK_BINANCE_TEST_SECRET" not in seen["environ"]
    assert b"s3cret-of-the-test" not in seen["block"]
    if sys.platform != "win32":
        assert seen["nice"] >= 10


def test_a_worker_keeps_within_its_memory() -> None:
    results = Results()
    with ProcessPool(1, memory_mb=200).crew(None) as crew:
        crew.run(greedy, [600], on_result=results)
    assert "died 3 times" in str(results.outcomes[0].error)


def test_an_item_that_does_not_end_is_given_up_and_hurts_no_other() -> None:
    results = Results()
    with ProcessPool(1, deadline_s=1).crew(None) as crew:
        assert crew.run(endless, range(3), on_result=results)
    assert results.values == [0, None, 2]
    assert "more memory or time" in str(results.outcomes[1].error)


@pytest.mark.skipif(sys.platform == "win32", reason="kills by a signal")
def test_workers_end_when_the_engine_is_killed() -> None:
    script = (
        "import sys; from engine.adapters.compute.process_pool import ProcessPool\n"
        "from tests.support.tasks import slow_pid\n"
        "if __name__ == '__main__':\n"
        "    with ProcessPool(1).crew(0.01) as crew:\n"
        "        crew.run(slow_pid, range(10**6), on_result=lambda i, o: i or"
        " print(o.value[1], flush=True))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert until(lambda: not psutil.pid_exists(worker), within_s=60)


# --- Dask ---------------------------------------------------------------------------------------


def test_no_cluster_is_one_sentence() -> None:
    with (
        pytest.raises(DataError, match=r"tcp://127\.0\.0\.1:1 does not answer.*QUARTERDECK_DASK"),
        DaskCluster("tcp://127.0.0.1:1", connect_timeout_s=0.5).crew(1),
    ):
        pass


def test_a_walk_forward_on_the_cluster_is_the_same_as_alone(cluster: str, tmp_path: Path) -> None:
    bench = Workbench(tmp_path, bars=500)
    request = study_request(walk_forward={"folds": 2, "train_tests": 2}, trials=8)
    alone = bench.run(request, "alone")
    assert bench.run(request, "cluster", DaskCluster(cluster)) == alone


@pytest.mark.skipif(sys.platform == "win32", reason="kills by a signal")
def test_a_dask_worker_killed_in_the_middle_loses_nothing(cluster: str) -> None:
    """The last test of the file: the cluster has one worker fewer after it."""
    results = Results()

    def kill_one(index: int, outcome: Outcome[Any]) -> None:
        results(index, outcome)
        if len(results.outcomes) == 10:
            threading.Thread(target=os.kill, args=(results.values[0][1], signal.SIGKILL)).start()

    with DaskCluster(cluster).crew(0.02) as crew:
        assert crew.run(slow_pid, range(120), on_result=kill_one)
    assert [item for item, _pid in results.values] == list(range(120))
    assert all(outcome.error is None for outcome in results.outcomes.values())
    assert not psutil.pid_exists(results.values[0][1]) or len({p for _, p in results.values}) > 1
