"""How few requests the bots of one exchange send, and how long a closed candle takes to an order.

Counts and times are shown; what is asserted is the ratio of two counts within one run.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from engine.adapters.market_data.ccxt_public import CcxtPublicMarket
from engine.domain.money import to_epoch_ms
from engine.links.pause import Pause
from engine.services.candle_feed import CandleFeed, PriceBoard
from engine.services.lanes import Lanes
from engine.services.quote_desk import QuoteDesk
from tests.fakes.binance_public import BinancePublic, binance_public, symbol_info
from tests.fakes.clock import FakeClock
from tests.fakes.exchange import binance_exchange
from tests.fakes.strategy_files import write_strategy
from tests.support.books import rows
from tests.support.client import Client, eventually
from tests.support.processes import copy_of_quarterdeck

BOTS, SYMBOLS, CLOSES = 200, 20, 3
HISTORY = (50, 100, 200, 300)
"""How many candles the strategies of different bots want."""

AT_LEAST = 8
"""So many times fewer requests are sent with the service than without."""

LATENCY_BOTS, ORDERS = 4, 120
LATENCY_SYMBOLS = ("BTC/USDT", "ETH/USDT")


@contextmanager
def exchange_market() -> Iterator[tuple[BinancePublic, CcxtPublicMarket, FakeClock]]:
    """Twenty coins on the loopback, through ccxt; the exchange's clock goes with the test's."""
    with binance_public() as server:
        server.symbols = [symbol_info(f"C{number}", "USDT") for number in range(SYMBOLS)]
        clock = FakeClock()
        market = CcxtPublicMarket(
            "ccxt:binance", clock, base_url=server.url, is_paced=False,
            pause=Pause(clock.monotonic),
        )  # fmt: skip
        market.instruments()
        server.requests.clear()
        yield server, market, clock


def each_bot() -> Iterator[tuple[str, int]]:
    """The symbol of each bot, and the candles it wants."""
    for number in range(BOTS):
        yield f"C{number % SYMBOLS}/USDT", HISTORY[number // SYMBOLS % len(HISTORY)]


def over_closes(
    server: BinancePublic, clock: FakeClock, decide: Callable[[], None]
) -> Counter[str]:
    """The requests by path while candles close, after a first round of warm-up."""
    decide()
    server.requests.clear()
    for _ in range(CLOSES):
        clock.advance(60)
        server.clock_lead_ms += 60_000
        decide()
    return Counter(server.requests)


def test_two_hundred_bots_ask_for_what_twenty_symbols_need() -> None:
    with exchange_market() as (server, market, clock):

        def each_for_itself() -> None:
            for symbol, limit in each_bot():
                market.candles(symbol, "1m", limit=limit)
                market.quote(symbol)

        without = over_closes(server, clock, each_for_itself)

    with exchange_market() as (server, market, clock), asyncio.Runner() as loop:
        lanes = Lanes()
        feed, prices = CandleFeed(lanes), QuoteDesk(lanes, PriceBoard())

        async def together() -> None:
            asked = (feed.candles(market, symbol, "1m", limit) for symbol, limit in each_bot())
            await asyncio.gather(*asked)
            symbols = sorted({symbol for symbol, _ in each_bot()})
            assert len([quote async for quote in prices.ask(market, symbols)]) == SYMBOLS

        shared = over_closes(server, clock, lambda: loop.run(together()))
        lanes.close()

    print(
        f"\n{BOTS} bots on {SYMBOLS} symbols over {CLOSES} closes: {without.total()} requests each"
        f" for itself {dict(without)}, {shared.total()} shared {dict(shared)}:"
        f" {without.total() / shared.total():.1f} times fewer"
    )
    for path in without:
        assert without[path] >= AT_LEAST * shared[path]
    assert shared["/api/v3/klines"] <= SYMBOLS * CLOSES


@pytest.mark.timeout(300)
def test_a_closed_candle_is_an_order_soon(tmp_path: Path) -> None:
    """A whole engine on candles of a second; the exchange tells when it took each order."""
    strategies = tmp_path / "strategies"
    strategies.mkdir()
    write_strategy(strategies, "busy", act="above = candles.time // 1000 % 4 < 2")
    with (
        binance_exchange() as exchange,
        copy_of_quarterdeck(
            tmp_path / "data",
            QUARTERDECK_STRATEGIES=str(strategies),
            QUARTERDECK_BINANCE_TEST_URL=exchange.url,
            QUARTERDECK_BINANCE_TEST_KEY=exchange.key,
            QUARTERDECK_BINANCE_TEST_SECRET=exchange.secret,
            QUARTERDECK_LIMIT_BOT_ORDERS_PER_MINUTE="10000",
            QUARTERDECK_LIMIT_ACCOUNT_ORDERS_PER_MINUTE="10000",
        ) as copy,
    ):
        copy.start_engine()
        client = Client(copy)
        for number in range(LATENCY_BOTS):
            bot = client.create_bot(
                name=f"busy {number}", market="testnet:binance", strategy="busy", params={},
                symbol=LATENCY_SYMBOLS[number % len(LATENCY_SYMBOLS)], amount="100",
                stop_loss=None, take_profit=None, max_entries=1,
            )  # fmt: skip
            client.post(f"/bots/{bot['id']}/start")

        def taken() -> dict[str, int]:
            return {order.client_id: order.time for order in list(exchange.orders)}

        eventually(taken, lambda found: len(found) >= ORDERS, timeout_s=240)
        closes = candle_closes(copy.place.data)
        late_s = sorted(
            (at - closes[client_id]) / 1000 for client_id, at in taken().items()
            if client_id in closes
        )  # fmt: skip
    p50, p99 = late_s[len(late_s) // 2], late_s[int(len(late_s) * 0.99)]
    print(
        f"\n{len(late_s)} orders of {LATENCY_BOTS} bots, from the candle's close to the exchange:"
        f" p50 {p50:.3f} s, p99 {p99:.3f} s, worst {late_s[-1]:.3f} s"
    )
    assert len(late_s) >= ORDERS // 2
    assert late_s[0] > 0, "no order before its candle has closed"


def candle_closes(data: Path) -> dict[str, int]:
    """When the candle of a second closed (epoch ms) on which each order was decided."""
    found = {}
    for row in rows(data, "SELECT candle_time, trace FROM decisions WHERE action != 'hold'"):
        opened = to_epoch_ms(datetime.fromisoformat(row["candle_time"]))
        for step in json.loads(row["trace"]):
            if step["step"] == "order desk":
                found[step["values"]["client_id"]] = opened + 1000
    return found
