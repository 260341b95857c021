"""The whole engine raises alerts: prices are watched, and a start after a kill says so."""

from decimal import Decimal
from pathlib import Path

from engine.adapters.store.store import SqlStore
from engine.domain.alerts import CrossDirection, PriceAlert
from tests.fakes.clock import START
from tests.support.books import rows
from tests.support.client import Client, eventually
from tests.support.processes import copy_of_quarterdeck


def test_prices_are_watched_and_a_death_is_told(tmp_path: Path) -> None:
    store = SqlStore.open(f"sqlite:///{tmp_path / 'state.db'}")
    with store.transaction() as tx:
        tx.price_alerts.add(
            PriceAlert(
                id="p1", market="simulated", symbol="ETH/USDT", direction=CrossDirection.ABOVE,
                price=Decimal("0.01"), note="no bot trades it", created_at=START,
            )
        )  # fmt: skip
    store.close()
    with copy_of_quarterdeck(tmp_path) as copy:
        copy.start_engine()
        client = Client(copy)
        [fired] = eventually(lambda: client.get("/events", kind="alert.price"), bool)
        assert fired["message"].endswith("at or above 0.01: no bot trades it")
        copy.kill_engine()
        copy.start_engine()
        newest, _ = client.get("/events", kind="engine.started")
        assert newest["level"] == "warning"
        assert "did not stop properly" in newest["message"]
        alerts = rows(tmp_path, "SELECT kind FROM alerts ORDER BY time")
    assert [one["kind"] for one in alerts] == ["engine_started", "price", "engine_started"]
