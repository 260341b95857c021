"""What a backup costs the writer beside it: commits of a trading bot's size, with and without."""

import statistics
import sys
import threading
import time
from pathlib import Path

from engine.adapters.backups.parts import Sources
from engine.adapters.backups.shelf import BackupFolder
from engine.adapters.store.sqlite_copies import SqliteCopies
from engine.adapters.store.store import SqlStore
from tests.contract.store_samples import event
from tests.fakes.clock import FakeClock

EVENTS = 150_000
COMMITS = 400
PAUSE_S = 0.005
MOST_TIMES_SLOWER = 10


def commit_times(store: SqlStore, first: int, until: threading.Event | None = None) -> list[float]:
    """Seconds of each commit: ``COMMITS`` of them, or as many as come before ``until``."""
    times: list[float] = []
    while len(times) < COMMITS if until is None else not until.is_set():
        began = time.perf_counter()
        with store.transaction() as tx:
            tx.events.add(event(first + len(times)))
        times.append(time.perf_counter() - began)
        time.sleep(PAUSE_S)
    return times


def p99_ms(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98] * 1000


def test_a_backup_delays_no_commit_for_long(tmp_path: Path) -> None:
    path = tmp_path / "data" / "state.db"
    store = SqlStore.open(f"sqlite:///{path}")
    for begin in range(0, EVENTS, 10_000):
        with store.transaction() as tx:
            tx.events.add(*(event(number) for number in range(begin, begin + 10_000)))
    shelf = BackupFolder(
        tmp_path / "backups", Sources(path.parent, tmp_path / "none"), SqliteCopies(path), "0",
        FakeClock().now,
    )  # fmt: skip
    alone = commit_times(store, EVENTS)
    is_done = threading.Event()

    def back_up() -> None:
        try:
            shelf.make(with_candles=False)
        finally:
            is_done.set()

    thread = threading.Thread(target=back_up)
    began = time.perf_counter()
    thread.start()
    beside = commit_times(store, 2 * EVENTS, is_done)
    took_s = time.perf_counter() - began
    thread.join()
    assert len(shelf.list()) == 1
    print(
        f"\n{path.stat().st_size / 1e6:.0f} MB backed up and verified in {took_s:.1f} s,"
        f" {len(beside)} commits beside it: p99 {p99_ms(beside):.1f} ms, alone"
        f" {p99_ms(alone):.1f} ms; worst {max(beside) * 1000:.1f} and {max(alone) * 1000:.1f} ms"
    )
    least_ms = sys.getswitchinterval() * 1000  # so long one thread of Python waits for another
    assert p99_ms(beside) < MOST_TIMES_SLOWER * max(p99_ms(alone), least_ms)
    store.close()
