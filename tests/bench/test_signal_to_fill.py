"""From a webhook to a paper fill, on a real engine over HTTP.

Times are shown; what is asserted is counts. They depend on the machine, and on what else it does.
"""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.support.books import rows
from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_as_delivered

SIGNALS, BURST = 300, 100
LAST = "SELECT count(*) AS n FROM signals WHERE state = 'acted'"
FILLS = """
    SELECT json_extract(signals.body, '$.id') AS number, signals.received_at AS received,
           signals.acted_at AS acted, orders.updated_at AS filled
    FROM signals JOIN orders ON orders.client_id = json_extract(signals.order_ids, '$[0]')
    WHERE orders.state = 'filled'
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Copy]:
    """A running engine of its own."""
    with copy_as_delivered(tmp_path / "data") as copy:
        copy.start_engine()
        yield copy


def listening(copy: Copy, name: str) -> str:
    """A running bot that does what signals say; the address to post to."""
    client = Client(copy)
    bot = client.create_bot(
        name=name, strategy="signals_only", params={}, stop_loss=None, take_profit=None,
        signals={"rate_per_minute": 100_000},
    )  # fmt: skip
    client.post(f"/bots/{bot['id']}/start")
    client.wait_for_state(bot["id"], "running")
    key: str = client.post(f"/bots/{bot['id']}/webhook")["key"]
    return f"{copy.engine_url}/webhook/{key}"


def post(http: httpx.Client, address: str, number: int) -> datetime:
    """An entry, or the exit after it; when it was sent."""
    action = "open" if number % 2 == 0 else "close"
    sent_at = datetime.now(UTC)
    body = {"action": action, "side": "long", "id": f"n{number}"}
    answer = http.post(address, json=body)
    assert answer.status_code == 200, answer.text
    return sent_at


def acted(copy: Copy) -> int:
    """How many signals have led to orders."""
    count: int = rows(copy.place.data, LAST)[0]["n"]
    return count


def at(times_s: list[float], percent: int) -> float:
    """A percentile of sorted times, in milliseconds."""
    return times_s[min(len(times_s) * percent // 100, len(times_s) - 1)] * 1000


def show(what: str, copy: Copy, sent: dict[str, datetime]) -> None:
    """Percentiles, in milliseconds: from sending and from its commit, to the fill in the books."""
    found = rows(copy.place.data, FILLS)
    times = {row["number"]: datetime.fromisoformat(row["filled"]) for row in found}
    whole = sorted((times[number] - moment).total_seconds() for number, moment in sent.items())
    inner = sorted(
        (times[row["number"]] - datetime.fromisoformat(row["received"])).total_seconds()
        for row in found if row["number"] in sent
    )  # fmt: skip
    words = [
        f"{name} p50 {at(some, 50):.1f} ms, p99 {at(some, 99):.1f} ms, worst {at(some, 100):.1f} ms"
        for name, some in (("from sending", whole), ("from arrival", inner))
    ]
    print(f"\n{what}, {len(sent)} signals to fills: {'; '.join(words)}", end="")


def test_from_a_signal_to_its_fill(engine: Copy) -> None:
    sent: dict[str, datetime] = {}
    address = listening(engine, "one by one")
    with httpx.Client(timeout=30) as http:
        for number in range(SIGNALS):
            sent[f"n{number}"] = post(http, address, number)
            eventually(lambda: acted(engine), lambda done, n=number: done > n, every_s=0.001)  # type: ignore[misc]
    eventually(lambda: len(rows(engine.place.data, FILLS)), lambda n: n == SIGNALS)
    show("one after the other", engine, sent)

    addresses = [listening(engine, f"burst {number}") for number in range(BURST)]
    burst: dict[str, datetime] = {}
    with httpx.Client(timeout=30) as http:
        for number, where in zip(itertools.count(1_000, 2), addresses, strict=False):
            burst[f"n{number}"] = post(http, where, number)
    eventually(lambda: len(rows(engine.place.data, FILLS)), lambda n: n == SIGNALS + BURST)
    show(f"{BURST} bots of one account at once", engine, burst)
    orders = rows(engine.place.data, "SELECT count(*) AS n FROM orders")[0]["n"]
    assert orders == SIGNALS + BURST, "one order each"
