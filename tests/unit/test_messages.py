"""What signals from outside say: every spelling that is understood, and a sentence for the rest."""

import json
from datetime import UTC, datetime
from decimal import Decimal as D
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.message_words import FIELDS
from engine.domain.messages import (
    Message,
    MessageError,
    is_readable,
    plain_symbol,
    read_message,
)
from engine.domain.signals import SignalOrder


def order(body: str | dict[str, Any]) -> SignalOrder:
    """What a body wants done."""
    text = body if isinstance(body, str) else json.dumps(body)
    return read_message(text, "text/plain").order


def told(body: str | dict[str, Any]) -> dict[str, Any]:
    """What a body says, of what is not left at its default."""
    return order(body).model_dump(mode="json", exclude_defaults=True)


def sentence(body: str | dict[str, Any], content_type: str = "text/plain") -> str:
    """Why a body is refused."""
    text = body if isinstance(body, str) else json.dumps(body)
    with pytest.raises(MessageError) as refused:
        read_message(text, content_type)
    return str(refused.value)


UNITS, OF_POSITION = {"quantity_kind": "units"}, {"quantity_kind": "percent_of_position"}
OF_EQUITY = {"quantity_kind": "percent_of_equity"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("buy BTCUSDT 0.5", {"action": "reverse", "side": "long", "symbol": "BTCUSDT",
                             "quantity": "0.5"} | UNITS),
        ("sell", {"action": "reverse", "side": "short"}),
        ("LONG btcusdt", {"action": "reverse", "side": "long", "symbol": "btcusdt"}),
        ("close long ETHUSDT 50%", {"action": "close", "side": "long", "symbol": "ETHUSDT",
                                    "quantity": "50"} | OF_POSITION),
        ("flat", {"action": "flat"}),
        ("close position now", {"action": "close"}),
        ("closeall", {"action": "flat"}),
        ("exit short", {"action": "close", "side": "short"}),
        ("open short BTC/USDT 10% sl=2% tp 5%", {
            "action": "open", "side": "short", "symbol": "BTC/USDT", "quantity": "10",
            "stop_percent": "2", "target_percent": "5"} | OF_EQUITY),
        ("add long $100", {"action": "add", "side": "long", "quantity": "100"}),
        ("buy 100 USDT BINANCE:BTCUSDT.P @ 60000", {
            "action": "reverse", "side": "long", "symbol": "BINANCE:BTCUSDT.P",
            "quantity": "100", "price": "60000"}),
        ("reverse short stop 61.5", {
            "action": "reverse", "side": "short", "stop_price": "61.5"}),
        ("close_long", {"action": "close", "side": "long"}),
        ("My Strategy (9, 21): order buy @ 1.5 filled on BTCUSDT. New strategy position is 1.5", {
            "action": "open", "side": "long", "symbol": "BTCUSDT", "quantity": "1.5"} | UNITS),
        ("S: order sell @ 3 filled on BTCUSDT. New strategy position is -1", {
            "action": "reverse", "side": "short", "symbol": "BTCUSDT", "quantity": "1"} | UNITS),
        ("S: order sell @ 1.5 filled on BTCUSDT. New strategy position is 0", {
            "action": "close", "side": "long", "symbol": "BTCUSDT"}),
    ],
)  # fmt: skip
def test_a_line_of_words_is_read(text: str, expected: dict[str, Any]) -> None:
    assert told(text) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"action": "open", "side": "long"}, {"action": "open", "side": "long"}),
        ({"Action": "BUY", "positionSide": "LONG"}, {"action": "open", "side": "long"}),
        ({"action": "sell", "positionSide": "LONG"}, {"action": "close", "side": "long"}),
        ({"side": "buy"}, {"action": "reverse", "side": "long"}),
        ({"signal": "short"}, {"action": "reverse", "side": "short"}),
        ({"action": "exit"}, {"action": "close"}),
        ({"action": "open", "side": "sell"}, {"action": "open", "side": "short"}),
        ({"action": "flat", "contracts": 3}, {"action": "flat"}),
        ({"action": "flat", "side": "long"}, {"action": "close", "side": "long"}),
        ({"action": "closeShort"}, {"action": "close", "side": "short"}),
        ({"action": "add", "side": "long", "qty": 2},
         {"action": "add", "side": "long", "quantity": "2"} | UNITS),
        ({"action": "open", "side": "long", "quantity": 5, "quantityType": "percent_of_equity"},
         {"action": "open", "side": "long", "quantity": "5"} | OF_EQUITY),
        ({"action": "open", "side": "long", "quantity": "1e2", "quantity_kind": "amount"},
         {"action": "open", "side": "long", "quantity": "100"}),
        ({"action": "open", "side": "long", "amount": "250 USDT"},
         {"action": "open", "side": "long", "quantity": "250"}),
        ({"action": "close", "side": "long", "percent": 25},
         {"action": "close", "side": "long", "quantity": "25"} | OF_POSITION),
        ({"action": "open", "side": "long", "stopLoss": {"stopPrice": 9}, "takeProfit": "5%"},
         {"action": "open", "side": "long", "stop_price": "9", "target_percent": "5"}),
        ({"action": "close", "expected": "long", "stop": "", "target": None},
         {"action": "close", "expected": "long"}),
        ({"ticker": "BTCUSDT", "symbol": "BINANCE:BTC/USDT", "action": "flat"},
         {"action": "flat", "symbol": "BTCUSDT"}),
        ({"action": "flat", "close": 7.5, "price": 7, "comment": "x", "message": "y",
          "passphrase": "not ours", "plot_0": "NaN"},
         {"action": "flat", "price": "7", "comment": "x"}),
    ],
)  # fmt: skip
def test_a_json_object_is_read(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert told(fields) == expected


@pytest.mark.parametrize(
    ("action", "before", "now", "sizes", "expected"),
    [
        ("buy", "flat", "long", (0, 1), {"action": "open", "side": "long"}),
        ("sell", "flat", "short", (0, 1), {"action": "open", "side": "short"}),
        ("buy", "long", "long", (1, 2), {"action": "add", "side": "long"}),
        ("sell", "short", "short", (1, 2), {"action": "add", "side": "short"}),
        ("sell", "long", "flat", (1, 0), {"action": "close", "side": "long"}),
        ("buy", "short", "flat", (1, 0), {"action": "close", "side": "short"}),
        ("buy", "short", "long", (1, 1), {"action": "reverse", "side": "long"}),
        ("sell", "long", "short", (1, 1), {"action": "reverse", "side": "short"}),
        ("sell", "long", "long", (3, 2),
         {"action": "close", "side": "long", "quantity": "33.3333"} | OF_POSITION),
        ("buy", "short", "short", (4, 1),
         {"action": "close", "side": "short", "quantity": "75"} | OF_POSITION),
        ("sell", "flat", "flat", (0, 0), {"action": "flat"}),
        ("buy", None, "long", (0, 1), {"action": "reverse", "side": "long"}),
        ("sell", None, "flat", (0, 0), {"action": "flat"}),
        (None, "flat", "long", (0, 1), {"action": "open", "side": "long"}),
        (None, "long", "long", (1, 2), {"action": "add", "side": "long"}),
        (None, "long", "long", (2, 1),
         {"action": "close", "side": "long", "quantity": "50"} | OF_POSITION),
        (None, "long", "short", (2, 1), {"action": "reverse", "side": "short"}),
    ],
)  # fmt: skip
def test_a_strategy_s_alert_means_what_its_position_did(
    action: str | None, before: str | None, now: str, sizes: tuple[int, int],
    expected: dict[str, Any],
) -> None:  # fmt: skip
    fields = {
        "action": action, "prev_market_position": before, "market_position": now,
        "prev_market_position_size": sizes[0], "market_position_size": sizes[1],
    }  # fmt: skip
    assert told(fields) == expected
    nested = {"strategy": {f"order_{k}" if k == "action" else k: v for k, v in fields.items()}}
    assert told(nested) == expected


def test_the_contracts_of_a_reversal_count_what_is_held_afterwards() -> None:
    fields = {"action": "sell", "contracts": 5, "prev_market_position": "long",
              "market_position": "short", "market_position_size": 2}  # fmt: skip
    assert told(fields)["quantity"] == "2"
    assert told(fields | {"quantity": "10%"})["quantity_kind"] == "percent_of_equity"


def test_a_strategy_s_entries_have_a_size_of_their_own_and_its_partial_exits_another() -> None:
    fields = {"action": "sell", "market_position": "long", "prev_market_position": "long",
              "percent_of_equity": 10}  # fmt: skip
    sizes = {"market_position_size": 3, "prev_market_position_size": 4}
    assert told(fields | sizes) == {"action": "close", "side": "long", "quantity": "25"} | (
        OF_POSITION
    )
    assert told(fields | sizes | {"action": "buy"})["quantity_kind"] == "percent_of_equity"
    assert "does not tell which" in sentence(fields)
    part = {"action": "sell", "market_position": "long", "percent_of_position": 40}
    assert told(part)["quantity"] == "40"


def test_all_placeholders_as_tradingview_fills_them_in_are_taken() -> None:
    message = read_message(
        json.dumps({
            "ticker": "BTCUSDT", "exchange": "BINANCE", "close": "61250.5", "open": "61000",
            "high": "61300", "low": "60900", "volume": "12.5", "time": "2026-01-31T09:00:00Z",
            "timenow": "2026-01-31T09:56:07Z", "interval": "60", "syminfo.currency": "USDT",
            "syminfo.basecurrency": "BTC", "plot_0": "1.5", 'plot("RSI")': "61",
            "strategy.order.action": "buy", "strategy.order.contracts": "0.01",
            "strategy.order.price": "61251", "strategy.order.id": "Long",
            "strategy.order.comment": "Long", "strategy.order.alert_message": "",
            "strategy.position_size": "0.01", "strategy.market_position": "long",
            "strategy.market_position_size": "0.01", "strategy.prev_market_position": "flat",
            "strategy.prev_market_position_size": "0",
        }),
        "application/json; charset=utf-8",
    )  # fmt: skip
    assert message.order.model_dump(mode="json", exclude_defaults=True) == {
        "action": "open", "side": "long", "symbol": "BTCUSDT", "quantity": "0.01",
        "quantity_kind": "units", "price": "61251", "comment": "Long",
    }  # fmt: skip
    assert message.sent_at == datetime(2026, 1, 31, 9, 56, 7, tzinfo=UTC), "not the bar's time"


def test_the_same_message_again_has_the_same_identity() -> None:
    def identity(**fields: object) -> str:
        return read_message(json.dumps({"action": "flat"} | fields)).identity

    assert identity() == identity(time="2026-01-31T09:56:07Z") == "", "a bar's time is not its own"
    assert identity(id="7a") == identity(id="7a", timenow="2026-01-31T09:56:07Z") == "id:7a"
    one, other = identity(timenow=1_769_853_367), identity(timenow=1_769_853_368)
    assert one != other
    assert one == identity(timenow=1_769_853_367)


@pytest.mark.parametrize(
    "value",
    [1_769_853_367, "1769853367", 1_769_853_367_000, "2026-01-31T09:56:07Z",
     "2026-01-31T10:56:07+01:00", "2026-01-31 09:56:07"],
)  # fmt: skip
def test_a_time_is_read_in_every_common_form(value: str | int) -> None:
    message = read_message(json.dumps({"action": "flat", "timestamp": value}))
    assert message.sent_at == datetime(2026, 1, 31, 9, 56, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "the message is empty"),
        ("{" + '"a":1,' * 9_000, "more than 20000 characters"),
        ("buy {{ticker}}", "the placeholder 'ticker' was not filled in"),
        ('{"action": "{{strategy.order.action}}"}', "'strategy.order.action' was not filled in"),
        ('{"action": "buy", "action": "sell"}', "'action' is there twice"),
        ('{"action": "buy", "qty": NaN}', "NaN is no number"),
        ('{"action": "buy", "x": -Infinity}', "-Infinity is no number"),
        ('{"action": "buy", "qty": "NaN"}', "the quantity 'NaN' is no number"),
        ('{"action": "buy", "qty": 1e999}', "beyond anything traded"),
        ('{"action": "buy", "qty": 1e-99}', "beyond anything traded"),
        ('{"action": "buy", "qty": ' + "9" * 5_000 + "}", "is no number"),
        ('{"action": "buy", "qty": -1}', "'-1' is not above zero"),
        ('{"action": "buy", "qty": 0}', "'0' is not above zero"),
        ('{"action": "buy", "qty": "1,5"}', "'1,5' is no number"),
        ('{"action": "buy", "qty": 1.' + "1" * 30 + "}", "has more than 28 digits"),
        ('{"action": "buy", "qty": true}', "'qty' is true"),
        ('{"action": ["buy"]}', "'action' is a list"),
        ('{"action": {"a": {"b": {"c": 1}}}}', "nested too deeply"),
        ('{"a":' * 3_000 + "1" + "}" * 3_000, ""),
        ('{"action": "buy"', "it is no JSON (line 1, column 17"),
        ('["buy"]', "neither a JSON object nor a line of words"),
        ("hello there", "it tells the symbol twice"),
        ("BTCUSDT 5", "it names no action"),
        ("buy sell", "says two things at once"),
        ("buy BTCUSDT stop_los=5", "'stop_los' is no field"),
        ("buy BTCUSDT sl=", "no value for the stop"),
        ("open BTCUSDT", "open names no side"),
        ("close buy", "may mean both sides"),
        ("flat 5", "flat closes everything"),
        ("buy BTCUSDT 120%", "more than 100 %"),
        ("buy <script>", "symbol '<script>' is none"),
        ({"action": "dance"}, "'dance' is no action"),
        ({"action": "open long", "side": "sell"}, "open long is no sell"),
        ({"action": "close long", "side": "buy"}, "close long is no buy"),
        ({"action": "buy", "qty": 1, "amount": 5}, "more than once (quantity and amount)"),
        ({"action": "buy", "qty": 1, "size": 5}, "'qty' and 'size' mean the same and differ"),
        ({"action": "buy", "qty": 1, "quantity_kind": "lightyears"}, "no kind of quantity"),
        ({"action": "open", "side": "long", "percent_of_position": 5}, "has no position yet"),
        ({"action": "close", "percent_of_equity": 5}, "close is of the position"),
        ({"action": "buy", "stop": 5, "stop_percent": 5}, "a price and as a percentage"),
        ({"action": "buy", "stop": "100.1%"}, "more than 100 %"),
        ({"action": "flat", "expected": "up"}, "the expected position 'up' is none"),
        ({"action": "flat", "timenow": "yesterday"}, "the time 'yesterday' is no time"),
        ({"action": "flat", "timenow": "1970-01-01T00:00:00Z"}, "is not of these years"),
        ({"action": "flat", "timenow": "9999-12-31T23:59:59-23:59"}, "is no time"),
        ({"action": "buy", "id": "Long"}, "the id 'Long' is not of this signal alone"),
        ({"action": "buy", "id": "L1", "order_id": "L1"}, "not of this signal alone"),
        ({"action": "buy", "id": "1" * 201}, "more than 200 characters"),
        ({"action": "sell", "market_position": "long"}, "does not tell which"),
        ({"market_position": "long", "prev_market_position": "long"}, "and still is"),
        ({"market_position": "up"}, "market_position 'up' is none"),
        ({str(i): i for i in range(201)}, "more than 200 fields"),
    ],
)  # fmt: skip
def test_every_mistake_has_a_sentence_of_its_own(body: str | dict[str, Any], words: str) -> None:
    told = sentence(body)
    assert words in told
    assert len(told) < 400, "somebody's text is shown in part only"


def test_a_type_that_is_not_text_is_refused() -> None:
    assert "cannot be read" in sentence("flat", "text/html")
    assert "it is no JSON" in sentence("flat", "application/json")
    assert is_readable("application/json; charset=utf-8")
    assert not is_readable("application/x-www-form-urlencoded")


@pytest.mark.parametrize(
    "symbol",
    ["BTCUSDT", "BINANCE:BTCUSDT", "BTC/USDT", "BTCUSDT.P", "btc-usdt", "BTC_USDT",
     "BTC/USDT:USDT", "BYBIT:BTCUSDT.P", "BTCUSDTPERP", "BTCUSDT-PERP"],
)  # fmt: skip
def test_a_symbol_has_one_name_for_comparing(symbol: str) -> None:
    assert plain_symbol(symbol) == "BTCUSDT"


WORDS = st.sampled_from(
    ["buy", "sell", "close", "long", "short", "flat", "open", "add", "reverse", "BTCUSDT", "0.5",
     "50%", "sl=2%", "tp", "@", "$9", "USDT", "id=7", "=", ":", "NaN", "{", "order buy @"]
)  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(["buy", "sell", "close", "long", "short", "flat", "1", "5%", "1e400"])
)  # fmt: skip
NAMES = st.sampled_from(sorted(FIELDS)) | st.text(max_size=8)
OBJECTS = st.dictionaries(
    NAMES, st.recursive(SCALARS, lambda s: st.dictionaries(NAMES, s, max_size=3) | st.lists(s)),
    max_size=8,
)  # fmt: skip
TEXTS = (
    st.text(max_size=200)
    | st.lists(WORDS, max_size=9).map(" ".join)
    | OBJECTS.map(json.dumps)
    | OBJECTS.map(lambda o: json.dumps({"action": "buy"} | o))
)


@given(TEXTS, st.sampled_from(["text/plain", "application/json", ""]))
def test_any_text_is_either_read_or_refused_with_a_sentence(text: str, content_type: str) -> None:
    try:
        message = read_message(text, content_type)
    except MessageError as error:
        assert str(error)
        return
    assert isinstance(message, Message)
    wanted = message.order
    assert SignalOrder.model_validate_json(wanted.model_dump_json()) == wanted, "it can be kept"
    for number in (wanted.quantity, wanted.price, wanted.stop_price, wanted.target_price):
        assert number is None or D(0) < number <= D("1e12")
