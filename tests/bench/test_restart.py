"""A restart with a thousand open orders on the account: how long until books and venue agree."""

import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from engine.adapters.clock.system import SystemClock
from engine.adapters.store.store import SqlStore
from engine.domain.orders import Order, OrderState, OrderType, Purpose, Side
from engine.services.books import Books
from engine.services.order_outcomes import MANUAL
from tests.fakes.exchange import KEY, SECRET, BinanceExchange, binance_exchange
from tests.support.books import rows
from tests.support.client import Client, eventually
from tests.support.processes import Copy, copy_as_delivered

BOTS, ORDERS = 20, 1_000
GOAL_S = 30.0
PRICE, QUANTITY = Decimal(40_000), Decimal("0.0002")


@pytest.fixture
def exchange() -> Iterator[BinanceExchange]:
    """The loopback exchange, which lists as many orders of a symbol as it is sent."""
    with binance_exchange() as exchange:
        exchange.rules("BTCUSDT").max_orders = 2 * ORDERS
        yield exchange


@pytest.fixture
def copy(tmp_path: Path, exchange: BinanceExchange) -> Iterator[Copy]:
    """An engine with a test account at the exchange, and running bots that rarely decide."""
    with copy_as_delivered(
        tmp_path / "data",
        QUARTERDECK_BINANCE_TEST_KEY=KEY,
        QUARTERDECK_BINANCE_TEST_SECRET=SECRET,
        QUARTERDECK_BINANCE_TEST_URL=exchange.url,
    ) as copy:
        copy.start_engine()
        client = Client(copy)
        for number in range(BOTS):
            bot = client.create_bot(name=f"bot {number}", market="testnet:binance", timeframe="1d",
                                    interval_s=86_400, params={})  # fmt: skip
            client.post(f"/bots/{bot['id']}/start")
        eventually(lambda: report(client)["health"], lambda health: health == "clean")
        yield copy


def report(client: Client) -> dict[str, Any]:
    """What the account's last check said."""
    [found] = client.get("/reconcile")
    assert isinstance(found, dict)
    return found


def place(copy: Copy, exchange: BinanceExchange) -> None:
    """Limit orders of all bots, at the exchange and in the books, while the engine is down."""
    store = SqlStore.open(f"sqlite:///{copy.place.data / 'state.db'}")
    books = Books(store, SystemClock())
    books.load()
    bots, now = list(books.bots.values()), books.clock.now()
    with books.writing() as writing:
        for number in range(ORDERS):
            bot = bots[number % BOTS]
            client_id = f"qd-{bot.id}-{number}-m0"
            taken = exchange.order_by_hand("BTCUSDT", "BUY", QUANTITY, PRICE, client_id)
            writing.add_order(
                Order(
                    client_id=client_id, bot_id=bot.id, account_id=bot.account_id,
                    symbol="BTC/USDT", side=Side.BUY, type=OrderType.LIMIT, purpose=Purpose.ENTRY,
                    state=OrderState.OPEN, quantity=QUANTITY, price=PRICE, reason=MANUAL,
                    venue_id=str(taken.id), decided_at=now, sent_at=now, created_at=now,
                    updated_at=now,
                )
            )  # fmt: skip
    store.close()


def restart(copy: Copy) -> float:
    """Seconds from ``kill -9`` until the account is known to be right again."""
    begun, moment = time.monotonic(), datetime.now(UTC)
    copy.kill_engine()
    copy.start_engine()
    client = Client(copy)

    def is_reconciled(seen: dict[str, Any]) -> bool:
        is_fresh = datetime.fromisoformat(seen["checked_at"]) > moment
        return is_fresh and seen["health"] == "clean"

    eventually(lambda: report(client), is_reconciled, timeout_s=10 * GOAL_S, every_s=0.05)
    return time.monotonic() - begun


def test_a_restart_with_a_thousand_open_orders(copy: Copy, exchange: BinanceExchange) -> None:
    copy.stop_engine()
    place(copy, exchange)
    copy.start_engine()
    asked = len(exchange.requests)
    taken_s = restart(copy)
    requests = Counter(request.endpoint for request in exchange.requests[asked:])
    print(
        f"\n{ORDERS} open orders: from kill -9 to reconciled in {taken_s:.1f} s,"
        f" {requests.total()} requests: {dict(requests.most_common())}"
    )
    [at_work] = rows(copy.place.data, "SELECT count(*) AS n FROM orders WHERE state = 'open'")
    assert at_work["n"] == ORDERS
    assert sum(order.is_open for order in exchange.orders) == ORDERS
    assert taken_s < GOAL_S
