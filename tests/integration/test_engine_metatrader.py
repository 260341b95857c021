"""A bot of the real engine whose orders an Expert Advisor executes: advisor and terminal go on
while the engine is dead, and what happened meanwhile is booked at its start."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from engine.adapters.brokers.mt5_ea.options import EA_MAGIC
from engine.adapters.clock.system import SystemClock
from tests.fakes.expert_advisor import ExpertAdvisor, HttpWire
from tests.fakes.metatrader5 import CRYPTO, stocked
from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_of_quarterdeck

BOT: dict[str, Any] = {
    "name": "Pushed", "symbol": CRYPTO, "timeframe": "1m", "interval_s": 60, "strategy": "rsi",
    "params": {}, "amount": "1000", "stop_loss": "0.05", "take_profit": None,
}  # fmt: skip
EVERY_S = 0.1


@contextmanager
def on_a_chart(copy: Copy, folder: Path) -> Iterator[ExpertAdvisor]:
    """An advisor that tells and asks again and again, by a timer; the market's price moves."""
    stand_in = stocked(SystemClock().now)
    wire = HttpWire(copy.engine_url, copy.token)
    advisor = ExpertAdvisor(stand_in, wire, folder / "done.txt", magic=EA_MAGIC, symbols=(CRYPTO,))
    is_over = threading.Event()

    def live() -> None:
        while not is_over.wait(EVERY_S):
            advisor.tick()

    thread = threading.Thread(target=live, name="advisor", daemon=True)
    thread.start()
    try:
        yield advisor
    finally:
        is_over.set()
        thread.join(60)
        wire.close()


def test_an_order_by_hand_is_executed_and_its_stop_is_booked_after_a_kill(tmp_path: Path) -> None:
    with copy_of_quarterdeck(tmp_path / "data") as copy:
        copy.start_engine()
        client = Client(copy)
        with on_a_chart(copy, tmp_path) as advisor:
            world = advisor.terminal.world
            market = f"metatrader:{world.login}"
            eventually(lambda: [one["id"] for one in client.get("/markets")],
                       lambda ids: market in ids)  # fmt: skip
            account = client.post(
                "/venue-accounts",
                {"name": "Advisor", "venue": "mt5_ea", "mode": "test", "secrets": {},
                 "options": {"login": world.login, "positions": "netting"}},
            )  # fmt: skip
            assert account["is_enabled"], account
            client.post("/bots", {**BOT, "market": account["market_id"]})
            client.post("/bots/Pushed/start")
            client.wait_for_state("Pushed", "running")
            ticket = {"purpose": "entry", "direction": "long", "quote_amount": "1000"}
            client.post("/bots/Pushed/orders", ticket)
            eventually(lambda: client.bot("Pushed")["position"], bool)
            eventually(lambda: [order.type for order in list(world.orders.values())],
                       lambda types: types == [5])  # fmt: skip
            held = next(iter(world.positions.values())).volume

            copy.kill_engine()
            world.set_price(CRYPTO, Decimal(94))
            assert not world.positions
            copy.start_engine()
            client.wait_for_state("Pushed", "running")
            eventually(lambda: client.bot("Pushed")["position"], lambda position: position is None)

            assert not world.orders
            assert sum(deal.volume for deal in world.deals) == 2 * held
            assert advisor.sends == 2
