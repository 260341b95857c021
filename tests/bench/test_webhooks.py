"""A thousand webhooks a second for half a minute: none that was accepted is lost.

Times are shown; what is asserted is counts. They depend on the machine, and on what else it does.
"""

import json
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.support.books import rows
from tests.support.client import Client
from tests.support.ports import free_port
from tests.support.processes import copy_as_delivered
from tooling.place import ROOT

RATE, SECONDS, BOTS, CONNECTIONS = 1_000, 30, 20, 64


@pytest.mark.timeout(300)
def test_a_thousand_webhooks_a_second_and_none_is_lost(tmp_path: Path) -> None:
    port = free_port()
    with copy_as_delivered(tmp_path / "data", QUARTERDECK_INBOX_PORT=str(port)) as copy:
        copy.start_engine()
        client = Client(copy)
        keys = [open_address(client, number) for number in range(BOTS)]
        assert copy.engine is not None
        engine = psutil.Process(copy.engine.pid)
        before = engine.cpu_times()
        load = subprocess.run(
            [sys.executable, "-m", "tests.support.webhook_load", f"http://127.0.0.1:{port}",
             str(RATE), str(SECONDS), str(CONNECTIONS), *keys],
            cwd=ROOT, capture_output=True, text=True, timeout=280, check=True,
        )  # fmt: skip
        after = engine.cpu_times()
        report = json.loads(load.stdout)
        copy.kill_engine()  # what was answered is on disk by now
        kept = {row["id"]: json.loads(row["body"])["id"] for row in
                rows(copy.place.data, "SELECT id, body FROM signals")}  # fmt: skip

    sent, accepted = RATE * SECONDS, report["accepted"]
    times = sorted(report["answered"].get("200", []))
    p50, p99 = times[len(times) // 2] * 1000, times[len(times) * 99 // 100] * 1000
    cpu_s = after.user + after.system - before.user - before.system
    others = {status: len(some) for status, some in report["answered"].items() if status != "200"}
    print(
        f"\n{sent} webhooks in {report['lasted_s']:.1f} s ({sent / report['lasted_s']:.0f}/s),"
        f" {len(times)} answered 200: p50 {p50:.1f} ms, p99 {p99:.1f} ms, worst"
        f" {times[-1] * 1000:.1f} ms; other answers {others}, {len(report['failures'])} without"
        f" one; {cpu_s / sent * 1e6:.0f} µs of the engine's processor each"
    )
    assert len(accepted) >= sent * 0.99, report["failures"][:3]
    lost = {told: key for told, key in accepted.items() if kept.get(key) != told}
    assert not lost, f"{len(lost)} accepted and lost"
    assert len(set(kept.values())) == len(kept), "one was kept twice"


def open_address(client: Client, number: int) -> str:
    """The key of a new bot that listens to as many signals as come."""
    signals = {"rate_per_minute": 100_000}
    bot = client.create_bot(name=f"listener {number}", signals=signals)
    key: str = client.post(f"/bots/{bot['id']}/webhook")["key"]
    return key
