"""The bridge to MetaTrader over HTTP: what it takes, what it refuses, and in which words."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from engine.contracts.bridge import BridgeHealth, BridgeStatistics, OfferedOrders, SignalKept
from tests.fakes.clock import FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.metatrader_desk import Bridge, bridge_over
from tests.fakes.services import FakeServices
from tests.support.fake_api import api_over, error_of

START = datetime(2026, 3, 2, 12, 1, tzinfo=UTC)
NESTED: dict[str, Any] = {
    "symbol": "EURUSD", "bid": 1.1, "ask": 1.1002, "spread": 0.0002, "volume": 120,
    "source": "mine", "version": "1.0",
    "ohlc": {"open": 1.1, "high": 1.2, "low": 1.05, "close": 1.15},
    "indicators": {"rsi_14": 51.5, "sma_50": None},
}  # fmt: skip
FLAT: dict[str, Any] = {
    "source": "metatrader-ea", "version": 1, "account": "51", "server": "Demo",
    "type": "market_data", "symbol": "EURUSD", "timeframe": "M15",
    "time": "2026-03-02T12:01:00Z", "bar_time": "2026-03-02T11:45:00Z", "bid": 1.1, "ask": 1.1002,
    "spread": 0.0002, "open": 1.1, "high": 1.2, "low": 1.05, "close": 1.15, "volume": 120,
    "indicators": {},
}  # fmt: skip
EXECUTION: dict[str, Any] = {
    "source": "metatrader-ea", "version": 1, "account": "51", "server": "Demo",
    "type": "execution", "id": "nobody's", "symbol": "EURUSD", "side": "buy", "status": "placed",
    "lots": 0,
}  # fmt: skip


class Served:
    """A client of the API, and the bridge behind it."""

    def __init__(self, http: httpx.Client, bridge: Bridge, clock: FakeClock) -> None:
        self.http, self.bridge, self.clock = http, bridge, clock


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    clock = FakeClock(START)
    services = FakeServices(0)
    bridge = bridge_over(MemoryStore(clock.now), clock)
    services.metatrader = bridge.desk
    with api_over(services) as http:
        yield Served(http, bridge, clock)


@pytest.fixture
def served(server: Served) -> Served:
    """At the same moment each time."""
    server.clock.current = START
    return server


def test_flat_and_nested_prices_become_a_market_of_their_own(served: Served) -> None:
    first = SignalKept.model_validate(served.http.post("/api/signals", json=NESTED).json())
    assert (first.market, first.bar, first.is_copy) == ("metatrader:script", "new", False)
    assert first.wants_bars == 500
    flat = SignalKept.model_validate(served.http.post("/api/signals", json=FLAT).json())
    assert (flat.market, flat.bar) == ("metatrader:51", "new")
    [bar] = served.bridge.terminals.bars("51", "EURUSD", "15m")
    assert (str(bar.high), bar.time.minute) == ("1.2", 45)
    reader = served.bridge.desk.reader
    assert reader.find_indicators("metatrader:script", "EURUSD") == {"mt_rsi_14": 51.5}


def test_a_script_may_say_timestamp_and_count_seconds(served: Served) -> None:
    told = NESTED | {"account": "counts", "timestamp": START.timestamp() - 1}
    assert served.http.post("/api/signals", json=told).json()["bar"] == "new"
    [bar] = served.bridge.terminals.bars("counts", "EURUSD", "1m")
    assert bar.time == START - timedelta(minutes=2), "the last that had closed by then"


def test_the_same_body_again_is_a_copy_and_the_same_bar_changes_nothing(served: Served) -> None:
    body = FLAT | {"account": "52"}
    first = served.http.post("/api/signals", json=body).json()
    again = served.http.post("/api/signals", json=body).json()
    assert (again["id"], again["is_copy"], again["bar"]) == (first["id"], True, "none")
    later = served.http.post("/api/signals", json=body | {"time": "2026-03-02T12:01:05Z"}).json()
    assert later["bar"] == "same"
    other = body | {"time": "2026-03-02T12:01:10Z", "close": 1.16}
    assert served.http.post("/api/signals", json=other).json()["bar"] == "changed"
    [bar] = served.bridge.terminals.bars("52", "EURUSD", "15m")
    assert (str(bar.close), bar.changes) == ("1.16", 1)
    with served.bridge.store.reading() as tx:
        kept = tx.signals.get(first["id"])
    assert (kept.copies, kept.source, kept.kind, kept.sender) == (1, "metatrader", "prices", "52")
    assert json.loads(kept.body) == body


def test_prices_that_stand_still_are_heard_each_time_when_no_time_is_told(served: Served) -> None:
    body = NESTED | {"account": "still"}
    first = served.http.post("/api/signals", json=body).json()
    served.clock.advance(50)
    again = served.http.post("/api/signals", json=body).json()
    assert (again["is_copy"], again["id"] != first["id"], again["bar"]) == (False, True, "same")
    price = served.bridge.terminals.price("still", "EURUSD")
    assert price is not None
    assert price.received_at == served.clock.now()


BAD: list[tuple[dict[str, Any], str]] = [
    ({"bid": 1.2}, "bid must not be above ask"),
    ({"bid": "NaN"}, "bid: must be a finite number"),
    ({"bid": -1.1}, "bid: must be greater than 0"),
    ({"bid": "much"}, "bid: must be a number"),
    ({"ask": None}, "ask: must be a number"),
    ({"high": 1.01}, "high must be the highest"),
    ({"low": 1.12}, "low the lowest"),
    ({"close": None}, "a bar needs open, high, low and close"),
    ({"ohlc": NESTED["ohlc"]}, "flat or in ohlc"),
    ({"volume": -1}, "volume: must be at least 0"),
    ({"timeframe": "M7"}, "timeframe: must be one of M1"),
    ({"version": 2}, "version: must be 1"),
    ({"version": True}, "version: must be 1"),
    ({"type": "execution"}, "type"),
    ({"symbol": ""}, "symbol: must not be empty"),
    ({"symbol": "EUR\nUSD"}, "symbol: has characters"),
    ({"account": "a b"}, "account: has characters"),
    ({"time": "2026-03-02T12:02:00Z"}, "60 s in the future: set the sender's clock"),
    ({"time": "2026-03-02T11:50:00Z"}, "660 s ago"),
    ({"time": "2026-03-02T12:01:00"}, "time: a time needs a time zone"),
    ({"time": "yesterday"}, "time: must be a time such as"),
    ({"bar_time": "2026-03-02T12:00:00Z"}, "has not closed yet"),
    ({"bar_time": "2026-03-02T11:40:00Z"}, "not where a candle of 15m begins"),
    ({"bars": [[1, 1, 1, 1, 1]]}, "bars"),
    ({"bars": [[1772451000, 1, 1, 2, 1, 0]]}, "high must be the highest"),
    ({"bars": [[1772451000, 1, 1, 1, 1, 0]] * 2}, "rising times"),
    ({"indicators": {"rsi": "high"}}, "indicators.rsi: must be a number"),
    ({"indicators": {f"i{number}": 1 for number in range(101)}}, "at most 100"),
    ({"spraed": 1}, "spraed: is not a known field"),
    ({"terminal": {"currency": "USD"}}, "terminal.balance: is missing"),
    ({"positions": [{"ticket": "x"}]}, "positions.0.ticket"),
    ({"instrument": {"digits": 5}}, "instrument.point: is missing"),
]


@pytest.mark.parametrize(("changes", "words"), BAD, ids=[words for _, words in BAD])
def test_a_mistake_in_prices_has_a_sentence_and_nothing_is_kept(
    served: Served, changes: dict[str, Any], words: str
) -> None:
    before = len(served.bridge.store.rows("signals"))  # type: ignore[attr-defined]
    response = served.http.post("/api/signals", json=FLAT | {"account": "53"} | changes)
    assert response.status_code == 422
    assert words in error_of(response)["message"]
    assert len(served.bridge.store.rows("signals")) == before  # type: ignore[attr-defined]


BAD_EXECUTIONS: list[tuple[dict[str, Any], int, str]] = [
    ({}, 404, "no order 'nobody's' for account 51"),
    ({"status": "done"}, 422, "status"),
    ({"side": "hold"}, 422, "side"),
    ({"status": "filled"}, 422, "an order that is filled has deals"),
    ({"lots": 0.5}, 422, "what the deals add up to"),
    ({"lots": -1}, 422, "lots: must be at least 0"),
    ({"retcode": "1e3"}, 422, "retcode: must be a whole number"),
    ({"order": "7a"}, 422, "order: has characters"),
    (
        {"lots": 1, "deals": [{"ticket": "0", "lots": 1, "price": 1, "time": "2026-03-02T12:00Z"}]},
        422, "ticket",
    ),
    ({"id": ""}, 422, "id: must not be empty"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "status", "words"), BAD_EXECUTIONS)
def test_a_mistake_in_a_report_has_a_sentence(
    served: Served, changes: dict[str, Any], status: int, words: str
) -> None:
    response = served.http.post("/api/trade-execution", json=EXECUTION | changes)
    assert response.status_code == status
    assert words in error_of(response)["message"]


def test_a_report_about_nobodys_order_is_kept_as_refused(served: Served) -> None:
    served.http.post("/api/trade-execution", json=EXECUTION | {"id": "lost"})
    with served.bridge.store.reading() as tx:
        [kept] = tx.signals.select(search="no order 'lost'")
    assert (kept.state, kept.kind) == ("refused", "execution")


@pytest.mark.parametrize(
    ("content", "headers", "status", "words"),
    [
        (b'{"symbol": "\xff"}', {}, 400, "The body is not text in UTF-8."),
        (b"{", {}, 400, "not well-formed JSON"),
        (b'{"symbol": "EURUSD", "bid": NaN, "ask": 1}', {}, 400, "not well-formed JSON"),
        (b"bid=1", {"content-type": "text/plain"}, 415, "must be application/json"),
        (b" " * 1_000_001, {}, 413, "must not exceed"),
        (b"{}", {"authorization": "Bearer wrong"}, 401, "token"),
    ],
)
def test_what_is_no_message_at_all_is_refused_in_words(
    served: Served, content: bytes, headers: dict[str, str], status: int, words: str
) -> None:
    given = {"content-type": "application/json"} | headers
    for path in ("/api/signals", "/api/trade-execution"):
        response = served.http.post(path, content=content, headers=given)
        assert response.status_code == status
        assert words in error_of(response)["message"]


@pytest.mark.parametrize("query", [{}, {"account": "5 1", "magic": "1"},
                                   {"account": "51", "magic": "-1"}])  # fmt: skip
def test_orders_are_asked_for_by_account_and_magic_number(
    served: Served, query: dict[str, str]
) -> None:
    assert served.http.get("/api/mt5/orders", params=query).status_code == 422
    asked = served.http.get("/api/mt5/orders", params={"account": "51", "magic": "7"})
    assert OfferedOrders.model_validate(asked.json()).orders == ()


def test_health_and_statistics_tell_who_was_heard_and_what_came(served: Served) -> None:
    served.http.post("/api/signals", json=FLAT | {"account": "54"})
    served.http.get("/api/mt5/orders", params={"account": "54", "magic": "7"})
    healthy = BridgeHealth.model_validate(served.http.get("/api/health").json())
    [advisor] = [one for one in healthy.advisors if one.account == "54"]
    assert (advisor.is_silent, advisor.executes, advisor.server) == (False, False, "Demo")
    served.clock.advance(61)
    silent = BridgeHealth.model_validate(served.http.get("/api/health").json())
    assert silent.status == "silent"
    assert silent.time - healthy.time == timedelta(seconds=61)
    told = BridgeStatistics.model_validate(served.http.get("/api/statistics").json())
    [count] = [one for one in told.signals if one.sender == "54"]
    assert (count.source, count.kind, count.last_hour, count.last_day) == (
        "metatrader", "prices", 1, 1,
    )  # fmt: skip
    [symbol] = [one for one in told.symbols if one.account == "54"]
    assert (symbol.symbol, symbol.timeframes, symbol.received) == ("EURUSD", ("15m",), 1)
