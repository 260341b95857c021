"""The endpoints of the Example Exchange: what it refuses, and what it answers."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.fakes.exchange.checks import check_filters
from tests.fakes.exchange.market_views import kline
from tests.fakes.exchange.records import Order, Refused, SymbolRules, Trade
from tests.fakes.rest_exchange.exchange import ExampleExchange, code_of

FAULTS = {
    "before": ("cut", "timeout", "status", "html", "limited", "error"),
    "after": ("cut_after", "timeout_after", "status_after", "html_after", "nulls_after",
              "nan_after", "huge_after", "other_after"),
}  # fmt: skip
WINDOW_MS = 5000
MOST_CANDLES, MOST_TRADES = 500, 100
LENGTHS = {"1m": 60_000, "5m": 300_000, "60m": 3_600_000, "1d": 86_400_000}
TYPES = {"market": "MARKET", "limit": "LIMIT", "stop": "STOP_LOSS", "stop-limit": "STOP_LOSS_LIMIT"}
NEEDS = {
    "market": set(), "limit": {"limit_price", "lasts"}, "stop": {"trigger_price"},
    "stop-limit": {"limit_price", "trigger_price", "lasts"},
}  # fmt: skip
STATES = {"NEW": "new", "PARTIALLY_FILLED": "partial", "FILLED": "done", "CANCELED": "cancelled",
          "EXPIRED": "expired", "REJECTED": "rejected"}  # fmt: skip
FILTERS = {"PRICE_FILTER": "bad_price", "PERCENT_PRICE_BY_SIDE": "bad_price",
           "LOT_SIZE": "bad_amount", "MARKET_LOT_SIZE": "bad_amount", "NOTIONAL": "below_minimum",
           "MAX_NUM_ORDERS": "too_many_orders",
           "MAX_NUM_ALGO_ORDERS": "too_many_orders"}  # fmt: skip
WORDS = {"insufficient": "insufficient_funds", "trigger": "would_trigger", "Duplicate": "duplicate"}
Sent = Mapping[str, str]


class No(Exception):
    """A refusal, as the exchange documents it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Api:
    """Authorises and answers; the exchange's lock is held meanwhile."""

    def __init__(self, exchange: ExampleExchange) -> None:
        self._exchange = exchange
        self._engine = exchange.matching
        # What may be sent, and whether it is signed; '*' stands for a part of the path.
        self._routes: dict[str, tuple[Callable[[Sent, str], Any], set[str], bool]] = {
            "GET /v1/time": (lambda _sent, _part: {"now": exchange.now_ms()}, set(), False),
            "GET /v1/instruments": (self._instruments, set(), False),
            "GET /v1/candles": (
                self._candles, {"instrument", "length", "from", "to", "limit"}, False,
            ),
            "GET /v1/ticker/*": (self._ticker, set(), False),
            "GET /v1/account/balances": (self._balances, set(), True),
            "GET /v1/account/key": (
                lambda _sent, _part: {"permissions": exchange.permissions}, set(), True,
            ),
            "POST /v1/orders": (
                self._place,
                {"client_id", "instrument", "side", "type", "amount", "limit_price",
                 "trigger_price", "lasts"}, True,
            ),
            "GET /v1/orders": (self._open_orders, {"instrument"}, True),
            "GET /v1/orders/by-client-id/*": (self._order, {"instrument"}, True),
            "DELETE /v1/orders/*": (self._cancel, set(), True),
            "GET /v1/trades": (self._trades, {"instrument", "from", "to", "order", "limit"}, True),
        }  # fmt: skip

    def answer(
        self, method: str, path: str, query: str, body: str, headers: Mapping[str, str]
    ) -> tuple[int, Any]:
        """Status and answer of one request."""
        try:
            return 200, self._answered(method, path, query, body, headers)
        except No as no:
            return no.status, {"error": {"code": no.code, "message": no.message}}

    def _answered(
        self, method: str, path: str, query: str, body: str, headers: Mapping[str, str]
    ) -> Any:
        exact, _, part = f"{method} {path}".rpartition("/")
        name = f"{method} {path}" if f"{method} {path}" in self._routes else f"{exact}/*"
        if name not in self._routes:
            raise No(404, "no_such_endpoint", f"there is no {method} {path}")
        handle, known, is_signed = self._routes[name]
        if is_signed:
            self._authorise(method, path, query, body, headers)
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        if body:
            if headers.get("content-type") != "application/json":
                raise No(415, "not_json", "send JSON")
            pairs += json.loads(body).items()
        sent = dict(pairs)
        if len(sent) != len(pairs) or set(sent) - known or (body and method != "POST"):
            raise No(400, "bad_parameter", f"unknown or doubled: {sorted(set(sent) - known)}")
        values: list[object] = list(sent.values())
        if any(not isinstance(value, str) or not value for value in values):
            raise No(400, "bad_parameter", "every value is a text that is not empty")
        if "instrument" in sent:
            self._rules(sent["instrument"])
        return handle(sent, unquote(part))

    def _authorise(
        self, method: str, path: str, query: str, body: str, headers: Mapping[str, str]
    ) -> None:
        exchange = self._exchange
        key, told = headers.get("x-ex-key", ""), headers.get("x-ex-time", "")
        if key != exchange.key:
            raise No(401, "unknown_key", f"there is no key {key}")
        if exchange.is_revoked:
            raise No(401, "key_revoked", "the key was revoked")
        if not told.isdigit() or abs(int(told) - exchange.now_ms()) > WINDOW_MS:
            raise No(401, "clock_off", "the time is not within 5 seconds of ours")
        signed = f"{told}{method}{path}{query}{body}".encode()
        expected = hmac.new(exchange.secret.encode(), signed, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, headers.get("x-ex-sign", "")):
            raise No(401, "bad_signature", "the signature does not fit the request")
        needed = "read" if method == "GET" else "trade"
        if needed not in exchange.permissions:
            raise No(403, "no_permission", f"the key may not {needed}")

    def _rules(self, code: str) -> SymbolRules:
        if code not in self._engine.symbols:
            raise No(400, "unknown_instrument", f"there is no instrument {code}")
        return self._engine.symbols[code]

    # --- the market ----------------------------------------------------------------------------

    def _instruments(self, _sent: Sent, _part: str) -> Any:
        return {
            "instruments": [
                {"code": code, "base": one.base, "quote": one.quote, "price_step": str(one.tick),
                 "amount_step": str(one.step), "status": one.status.lower(),
                 "limits": {"amount": str(one.min_quantity), "value": str(one.min_notional)}}
                for code, one in self._engine.symbols.items()
            ]
        }  # fmt: skip

    def _ticker(self, _sent: Sent, part: str) -> Any:
        rules = self._rules(part)
        return {"ticker": {"bid": str(rules.bid), "ask": str(rules.ask), "last": str(rules.price),
                           "time": self._exchange.now_ms()}}  # fmt: skip

    def _candles(self, sent: Sent, _part: str) -> Any:
        rules, length = self._rules(sent["instrument"]), LENGTHS.get(sent["length"])
        limit = _whole(sent, "limit")
        if length is None or limit > MOST_CANDLES:
            raise No(400, "bad_parameter", "length or limit")
        begin = -(-_whole(sent, "from") // length) * length
        # The candle under way is listed too, as most exchanges do.
        end = min(_whole(sent, "to"), self._exchange.now_ms() + 1)
        times = [at for at in range(begin, end, length) if at not in self._exchange.missing]
        return {"candles": [kline(rules, at, length)[:6] for at in times[:limit]]}

    # --- the account ---------------------------------------------------------------------------

    def _balances(self, _sent: Sent, _part: str) -> Any:
        return {
            "balances": [
                {"asset": asset, "available": str(one.free), "held": str(one.locked)}
                for asset, one in self._engine.balances.items()
            ]
        }

    def _trades(self, sent: Sent, _part: str) -> Any:
        limit, since = _whole(sent, "limit"), _whole(sent, "from", 0)
        until = _whole(sent, "to", 1 << 62)
        if limit > MOST_TRADES:
            raise No(400, "bad_parameter", "limit")
        found = [
            trade for trade in self._engine.trades
            if trade.symbol == sent["instrument"] and since <= trade.time <= until
            and sent.get("order") in (None, f"o-{trade.order_id}")
        ]  # fmt: skip
        if self._exchange.is_newest_first:
            found.reverse()
        return {"trades": [_trade(one) for one in found[:limit]]}

    # --- orders --------------------------------------------------------------------------------

    def _place(self, sent: Sent, _part: str) -> Any:
        lacking = {"client_id", "instrument", "side", "type", "amount"} - set(sent)
        if lacking or sent["type"] not in TYPES or sent["side"] not in ("buy", "sell"):
            raise No(400, "bad_parameter", f"missing {sorted(lacking)}, or no such type or side")
        details = set(sent) & {"limit_price", "trigger_price", "lasts"}
        if details != NEEDS[sent["type"]] or sent.get("lasts", "gtc") not in ("gtc", "ioc", "fok"):
            raise No(400, "bad_parameter", f"a {sent['type']} order has {NEEDS[sent['type']]}")
        rules = self._rules(sent["instrument"])
        if rules.status != "TRADING":
            raise No(409, "market_closed", "the market is closed")
        order = self._engine.new_order(
            symbol=code_of(rules), client_id=sent["client_id"], side=sent["side"].upper(),
            type=TYPES[sent["type"]], quantity=_amount(sent, "amount"),
            price=_amount(sent, "limit_price"), stop_price=_amount(sent, "trigger_price"),
            time_in_force=sent.get("lasts", "gtc").upper(), trailing_delta=0,
        )  # fmt: skip
        try:
            check_filters(rules, order, self._engine.open_orders(order.symbol))
            self._engine.place(order)
        except Refused as refused:
            raise _refusal(refused) from refused
        return {"order": self._view(order)}

    def _open_orders(self, sent: Sent, _part: str) -> Any:
        found = self._engine.open_orders(sent.get("instrument"))
        return {"orders": [self._view(order) for order in found]}

    def _order(self, sent: Sent, part: str) -> Any:
        order = self._engine.find(sent["instrument"], None, part)
        if order is None or order.is_hidden:
            raise No(404, "order_not_found", "there is no such order")
        return {"order": self._view(order)}

    def _cancel(self, _sent: Sent, part: str) -> Any:
        order = self._engine.orders.get(int(part.removeprefix("o-")))
        if order is None or not order.is_open:
            raise No(404, "order_not_found", "there is no such open order")
        self._engine.cancel(order, "")
        return {}

    def _view(self, order: Order) -> dict[str, Any]:
        is_waiting = order.is_open and not order.is_working
        kinds = {theirs: ours for ours, theirs in TYPES.items()}
        return {
            "client_id": order.client_id, "id": f"o-{order.id}", "instrument": order.symbol,
            "side": order.side.lower(), "type": kinds[order.type],
            "status": "waiting" if is_waiting else STATES[order.status],
            "amount": str(order.quantity), "filled": str(order.executed),
            "limit_price": str(order.price) if order.price else None,
            "trigger_price": str(order.stop_price) if order.stop_price else None,
            "created": order.time, "reason": None,
        }  # fmt: skip


def _trade(one: Trade) -> dict[str, Any]:
    return {
        "id": one.id, "order": f"o-{one.order_id}", "side": one.side.lower(),
        "price": str(one.price), "amount": str(one.quantity), "time": one.time,
        "fee": {"amount": str(one.commission), "asset": one.commission_asset},
    }  # fmt: skip


def _refusal(refused: Refused) -> No:
    """A refusal of the matching's as this exchange says it."""
    name = refused.message.rpartition(" ")[2]
    if refused.code == -1013:
        return No(400, FILTERS[name], f"the {FILTERS[name].replace('_', ' ')}")
    code = next(code for word, code in WORDS.items() if word in refused.message)
    return No(409, code, refused.message.rstrip("."))


def _amount(sent: Sent, name: str) -> Decimal:
    if name not in sent:
        return Decimal(0)
    try:
        value = Decimal(sent[name])
    except InvalidOperation:
        raise No(400, "bad_parameter", f"{name} is no amount") from None
    if not value.is_finite() or value <= 0 or "e" in sent[name].lower():
        raise No(400, "bad_parameter", f"{name} is no amount")
    return value


def _whole(sent: Sent, name: str, otherwise: int | None = None) -> int:
    told = sent.get(name, "")
    if not told and otherwise is not None:
        return otherwise
    if not told.isdigit():
        raise No(400, "bad_parameter", f"{name} is no whole number")
    return int(told)
