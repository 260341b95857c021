"""A bot of the real engine at a terminal that a gateway lends: its stop rests at the broker, and
fires while the engine is dead."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.adapters.clock.system import SystemClock
from tests.contract.mt5_venue import TOKEN, gateway
from tests.fakes.metatrader5 import CRYPTO, StandIn, stocked
from tests.support.client import Client, eventually
from tests.support.processes import copy_of_quarterdeck

BOT: dict[str, Any] = {
    "name": "Terminal", "symbol": CRYPTO, "timeframe": "1m", "interval_s": 60, "strategy": "rsi",
    "params": {}, "amount": "1000", "stop_loss": "0.05", "take_profit": None,
}  # fmt: skip


@dataclass
class LivingMarket:
    """A stand-in whose price is told again and again, as a market's is."""

    stand_in: StandIn
    price: Decimal = Decimal(100)
    is_over: threading.Event = field(default_factory=threading.Event)

    def live(self) -> None:
        """Until it is over."""
        while not self.is_over.wait(0.05):
            self.stand_in.world.set_price(CRYPTO, self.price)


@pytest.fixture
def market(tmp_path: Path) -> Iterator[LivingMarket]:
    living = LivingMarket(stocked(SystemClock().now))
    thread = threading.Thread(target=living.live, daemon=True)
    thread.start()
    yield living
    living.is_over.set()
    thread.join(60)


def add(client: Client, market: LivingMarket, url: str, ca_file: str) -> dict[str, Any]:
    world = market.stand_in.world
    options = {
        "login": world.login, "server": world.server, "positions": "netting",
        "gateway": url, "ca_file": ca_file,
    }  # fmt: skip
    request = {
        "name": "Demo", "venue": "mt5_gateway", "mode": "test", "options": options,
        "secrets": {"token": TOKEN, "password": world.password},
    }  # fmt: skip
    made: dict[str, Any] = client.post("/venue-accounts", request)
    return made


def has_resting_stop(market: LivingMarket) -> bool:
    return [order.type for order in list(market.stand_in.world.orders.values())] == [5]


def test_a_stop_rests_at_the_broker_and_is_booked_after_a_kill(
    market: LivingMarket, tmp_path: Path
) -> None:
    world = market.stand_in.world
    with (
        gateway(market.stand_in, tmp_path) as running,
        copy_of_quarterdeck(tmp_path / "data") as copy,
    ):
        copy.start_engine()
        client = Client(copy)
        account = add(client, market, running.url, running.ca_file)
        assert account["is_enabled"], account
        client.post("/bots", {**BOT, "market": account["market_id"]})
        client.post("/bots/Terminal/start")
        client.wait_for_state("Terminal", "running")
        ticket = {"purpose": "entry", "direction": "long", "quote_amount": "1000"}
        client.post("/bots/Terminal/orders", ticket)
        eventually(lambda: client.bot("Terminal")["position"], bool)
        eventually(lambda: has_resting_stop(market), bool)
        held = next(iter(world.positions.values())).volume

        copy.kill_engine()
        market.price = Decimal(94)
        eventually(lambda: world.positions, lambda positions: not positions)
        copy.start_engine()
        client.wait_for_state("Terminal", "running")
        eventually(lambda: client.bot("Terminal")["position"], lambda position: position is None)

        assert not world.orders
        assert sum(deal.volume for deal in world.deals) == 2 * held
