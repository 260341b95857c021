"""The endpoints under /api/v5: who may ask, for what, and what each of them answers."""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from tests.fakes.exchange.exchange import BinanceExchange
from tests.fakes.exchange.records import Order, Refused, SymbolRules
from tests.fakes.okx import views

PASSPHRASE = "test-passphrase"
WINDOW_MS = 30_000
CLIENT_ID = re.compile(r"^[A-Za-z0-9]{1,32}$")
NUMBER = re.compile(r"^[0-9]{1,20}(\.[0-9]{1,20})?$")
TIMES = {"limit": "GTC", "ioc": "IOC", "fok": "FOK", "market": "GTC"}
PAGE = 100
NO_ORDER = "Order does not exist"
Sent = Mapping[str, str]


@dataclass(frozen=True)
class Endpoint:
    """What an endpoint takes. ``has_results``: refusals stand in a list, one for each order."""

    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    is_private: bool = True
    has_results: bool = False


RANGE = ("begin", "end", "before", "after", "limit")
CANDLES = Endpoint(("instId",), ("bar", "limit", "before", "after"), is_private=False)
LISTED = Endpoint((), ("instType", "instId", "ordType", "state", *RANGE))
ENDPOINTS = {
    "GET public/time": Endpoint(is_private=False),
    "GET public/instruments": Endpoint(("instType",), ("instId",), is_private=False),
    "GET market/ticker": Endpoint(("instId",), is_private=False),
    "GET market/candles": CANDLES,
    "GET market/history-candles": CANDLES,
    "GET account/balance": Endpoint((), ("ccy",)),
    "GET account/config": Endpoint(),
    "POST trade/batch-orders": Endpoint(
        ("instId", "tdMode", "side", "ordType", "sz"), ("clOrdId", "tag", "px", "tgtCcy"),
        has_results=True,
    ),
    "POST trade/cancel-order": Endpoint(("instId",), ("ordId", "clOrdId"), has_results=True),
    "GET trade/order": Endpoint(("instId",), ("ordId", "clOrdId")),
    "GET trade/orders-pending": LISTED,
    "GET trade/orders-history": LISTED,
    "GET trade/fills-history": Endpoint(("instType",), ("instId", "ordId", *RANGE)),
}  # fmt: skip


class OkxApi:
    """Authorises and processes requests; the exchange's lock is held meanwhile."""

    def __init__(self, exchange: BinanceExchange) -> None:
        self._exchange = exchange
        self._engine = exchange.matching
        self._routes: dict[str, Callable[[Sent], list[Any]]] = {
            "GET public/time": lambda _sent: [{"ts": str(exchange.now_ms())}],
            "GET public/instruments": self._instruments,
            "GET market/ticker": lambda sent: [views.ticker(self._rules(sent), exchange.now_ms())],
            "GET market/candles": self._candles,
            "GET market/history-candles": self._candles,
            "GET account/balance": lambda _sent: [views.balance(self._engine, exchange.now_ms())],
            "GET account/config": lambda _sent: [views.config(exchange.may)],
            "POST trade/batch-orders": self._new_order,
            "POST trade/cancel-order": self._cancel,
            "GET trade/order": lambda sent: [views.order(self._found(sent), self._engine)],
            "GET trade/orders-pending": self._pending,
            "GET trade/orders-history": self._history,
            "GET trade/fills-history": self._fills,
        }

    def process(self, endpoint: str, sent: Sent) -> Any:
        """The answer to a request that may be made. Raises Refused."""
        found = ENDPOINTS[endpoint]
        for name in found.needs:
            if not sent.get(name):
                raise Refused(50014, f"Parameter {name} cannot be empty.")
        for name, value in sent.items():
            if name not in (*found.needs, *found.takes) or not isinstance(value, str):
                raise Refused(51000, f"Parameter {name} error")
        return {"code": "0", "msg": "", "data": self._routes[endpoint](sent)}

    def authorise(
        self, endpoint: str, path: str, body: str, headers: Mapping[str, str], *, is_late: bool
    ) -> None:
        """Raises Refused for what does not come of the account's key, now."""
        exchange = self._exchange
        if endpoint not in ENDPOINTS:
            raise Refused(50000, f"There is no '{endpoint}' here.", 404)
        if not ENDPOINTS[endpoint].is_private:
            return
        if headers.get("OK-ACCESS-KEY") != exchange.key:
            raise Refused(50111, "Invalid OK-ACCESS-KEY", 401)
        if exchange.script.state("key_revoked"):
            raise Refused(50119, "API key doesn't exist", 401)
        told = headers.get("OK-ACCESS-TIMESTAMP", "")
        payload = told + endpoint.split(maxsplit=1)[0] + path + body
        signature = hmac.new(exchange.secret.encode(), payload.encode(), hashlib.sha256).digest()
        if headers.get("OK-ACCESS-SIGN") != base64.b64encode(signature).decode():
            raise Refused(50113, "Invalid Sign", 401)
        if headers.get("OK-ACCESS-PASSPHRASE") != PASSPHRASE:
            raise Refused(50105, "Request header OK-ACCESS-PASSPHRASE incorrect.", 401)
        if not is_late:
            sent_ms = datetime.fromisoformat(told).timestamp() * 1000
            if abs(exchange.now_ms() - sent_ms) > WINDOW_MS:
                raise Refused(50102, "Timestamp request expired", 401)
        if endpoint.startswith("POST") and not exchange.may["enableSpotAndMarginTrading"]:
            raise Refused(50120, "This API key doesn't have permission to use this function", 401)

    # --- the market ------------------------------------------------------------------------------

    def _rules(self, sent: Sent) -> SymbolRules:
        rules = self._engine.symbols.get(sent["instId"].replace("-", ""))
        if rules is None:
            raise Refused(51001, "Instrument ID doesn't exist.")
        return rules

    def _instruments(self, sent: Sent) -> list[Any]:
        if sent["instType"] != "SPOT":
            raise Refused(51000, "Parameter instType error")
        return [views.instrument(rules) for rules in self._engine.symbols.values()]

    def _candles(self, sent: Sent) -> list[Any]:
        limit = _limit(sent, 300)
        after, before = (int(sent.get(name, default)) for name, default in
                         (("after", str(1 << 62)), ("before", "0")))  # fmt: skip
        return views.candles(self._exchange, self._rules(sent), sent.get("bar", "1m"),
                             before, after, limit)  # fmt: skip

    # --- orders ----------------------------------------------------------------------------------

    def _new_order(self, sent: Sent) -> list[Any]:
        rules, kind = self._rules(sent), sent["ordType"]
        if rules.status != "TRADING":
            raise Refused(51022, "Instrument is suspended, orders cannot be placed.")
        quantity, price = _number(sent, "sz"), _number(sent, "px")
        is_market = kind == "market"
        if kind not in TIMES or sent["side"] not in ("buy", "sell") or sent["tdMode"] != "cash":
            raise Refused(51000, "Parameter ordType, side or tdMode error")
        if is_market == bool(price) or (is_market and sent.get("tgtCcy") != "base_ccy"):
            raise Refused(51000, "Parameter px or tgtCcy error")
        if not CLIENT_ID.match(sent.get("clOrdId", "none")):
            raise Refused(51000, "Parameter clOrdId error")
        if quantity < rules.min_quantity:
            raise Refused(51020, "Your order should meet or exceed the minimum order amount.")
        if quantity % rules.step:
            raise Refused(51121, "Order quantity must be a multiple of the lot size.")
        order = self._engine.new_order(
            symbol=rules.name, client_id=sent.get("clOrdId", ""), side=sent["side"].upper(),
            type="MARKET" if is_market else "LIMIT", quantity=quantity, price=price,
            stop_price=Decimal(0), time_in_force=TIMES[kind], trailing_delta=0,
        )  # fmt: skip
        self._engine.place(order)
        return [views.result(order, self._exchange.now_ms())]

    def _cancel(self, sent: Sent) -> list[Any]:
        order = self._looked_up(sent)
        if order is None:
            raise Refused(51400, "Cancellation failed as the order does not exist.")
        if not order.is_open:
            raise Refused(51402, "Cancellation failed as the order is already completed.")
        self._engine.cancel(order, "")
        return [views.result(order, self._exchange.now_ms())]

    def _looked_up(self, sent: Sent) -> Order | None:
        number = int(sent["ordId"]) if sent.get("ordId") else None
        order = self._engine.find(self._rules(sent).name, number, sent.get("clOrdId"))
        return None if order is None or order.is_hidden else order

    def _found(self, sent: Sent) -> Order:
        order = self._looked_up(sent)
        if order is None:
            raise Refused(51603, NO_ORDER)
        return order

    def _listed(self, sent: Sent) -> list[Order]:
        name = self._rules(sent).name if "instId" in sent else None
        return [
            order for order in reversed(list(self._engine.orders.values()))
            if name in (None, order.symbol) and not order.is_hidden
        ]  # fmt: skip

    def _pending(self, sent: Sent) -> list[Any]:
        return [views.order(order, self._engine) for order in self._listed(sent) if order.is_open][
            : _limit(sent, PAGE)
        ]

    def _history(self, sent: Sent) -> list[Any]:
        rows = [views.order(each, self._engine) for each in self._listed(sent) if not each.is_open]
        wanted = sent.get("state")
        return [row for row in rows if wanted in (None, row["state"])][: _limit(sent, PAGE)]

    def _fills(self, sent: Sent) -> list[Any]:
        begin, end = int(sent.get("begin", "0")), int(sent.get("end", str(1 << 62)))
        if self._exchange.trades_span_ms is not None:  # as Bybit and KuCoin document it
            end = min(end, begin + self._exchange.trades_span_ms)
        name = self._rules(sent).name if "instId" in sent else None
        rows = [
            views.fill(trade, self._engine.orders[trade.order_id])
            for trade in reversed(self._engine.trades)
            if name in (None, trade.symbol) and begin <= trade.time <= end
            and not self._engine.orders[trade.order_id].is_hidden
        ]  # fmt: skip
        return rows[: _limit(sent, PAGE)]


def refusal_of(refused: Refused) -> tuple[str, str]:
    """Code and sentence of OKX's for what the matching engine refuses in Binance's."""
    if "insufficient balance" in refused.message:
        return "51008", "Order failed. Insufficient balance in account."
    if "Duplicate" in refused.message:
        return "51016", "Client order ID already exists."
    return str(refused.code), refused.message


def _number(sent: Sent, name: str) -> Decimal:
    if name not in sent:
        return Decimal(0)
    if not NUMBER.match(sent[name]):
        raise Refused(51000, f"Parameter {name} error")
    return Decimal(sent[name])


def _limit(sent: Sent, most: int) -> int:
    limit = int(Decimal(sent.get("limit", PAGE)).to_integral_value(ROUND_DOWN))
    if not 1 <= limit <= most:
        raise Refused(51000, "Parameter limit error")
    return limit
