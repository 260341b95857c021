"""The endpoints under /api/v3: what each of them answers."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any
from urllib.parse import parse_qsl

from tests.fakes.exchange.checks import (
    ENDPOINTS,
    WALLET,
    check_client_id,
    check_filters,
    check_form,
    check_parameters,
    missing,
    number,
    whole,
)
from tests.fakes.exchange.exchange import BinanceExchange
from tests.fakes.exchange.market_views import MARKET_VIEWS
from tests.fakes.exchange.records import CONTINGENT, Order, Refused, SymbolRules, money

Sent = dict[str, str]
AHEAD_MS = 1000
WINDOW_MS = 5000
DAY_MS = 86_400_000


class Api:
    """Authorises and processes requests; the exchange's lock is held meanwhile."""

    def __init__(self, exchange: BinanceExchange) -> None:
        self._exchange = exchange
        self._engine = exchange.matching
        self._routes: dict[str, Callable[[Sent], Any]] = {
            "GET account": self._account,
            "GET account/commission": self._commission,
            WALLET: self._restrictions,
            "POST order": self._new_order,
            "GET order": self._order,
            "DELETE order": self._cancel,
            "GET openOrders": self._open_orders,
            "DELETE openOrders": self._cancel_all,
            "GET allOrders": self._all_orders,
            "GET myTrades": self._my_trades,
            "POST orderList/oco": self._new_oco,
            "GET orderList": self._order_list,
            "DELETE orderList": self._cancel_list,
        }

    def process(
        self, endpoint: str, payload: str, key: str | None, *, is_late: bool = False
    ) -> Any:
        """The answer to a request. Raises Refused. A late one was in time when it arrived."""
        found = ENDPOINTS.get(endpoint)
        if found is None:
            raise Refused(-1000, f"There is no '{endpoint}' here.", 404)
        pairs = parse_qsl(payload, keep_blank_values=True)
        if found.is_signed:
            self.check_key(key)
        sent = check_parameters(found, pairs)
        if found.is_signed:
            self._check_signature(sent, payload)
            if not is_late:
                self.check_time(sent)
        symbol = sent.get("symbol")
        if symbol is not None and symbol not in self._engine.symbols:
            raise Refused(-1121, "Invalid symbol.")
        if endpoint in MARKET_VIEWS:
            return MARKET_VIEWS[endpoint](self._exchange, sent)
        return self._routes[endpoint](sent)

    # --- who may --------------------------------------------------------------------------------

    def check_key(self, key: str | None) -> None:
        """Raises Refused for a key that is not the account's."""
        if not key:
            raise Refused(-2014, "API-key format invalid.", 401)
        if key != self._exchange.key or self._exchange.script.state("key_revoked"):
            raise Refused(-2015, "Invalid API-key, IP, or permissions for action.", 401)

    def _check_signature(self, sent: Sent, payload: str) -> None:
        signed = payload.replace(f"&signature={sent['signature']}", "")
        secret = self._exchange.secret.encode()
        expected = hmac.new(secret, signed.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, sent["signature"]):
            raise Refused(-1022, "Signature for this request is not valid.")

    def check_time(self, sent: Mapping[str, str]) -> None:
        """Raises Refused for a time that is not the exchange's, by the window's measure."""
        window = whole(sent, "recvWindow", WINDOW_MS)
        if window > 60_000:
            raise Refused(-1131, "recvWindow must be less than 60000.")
        told, now = whole(sent, "timestamp"), self._exchange.now_ms()
        if told >= now + AHEAD_MS:
            raise Refused(
                -1021, "Timestamp for this request was 1000ms ahead of the server's time."
            )
        if now - told > window:
            raise Refused(-1021, "Timestamp for this request is outside of the recvWindow.")

    # --- the account ----------------------------------------------------------------------------

    def _account(self, sent: Sent) -> Any:
        rows = self._engine.balances.items()
        zero = sent.get("omitZeroBalances") != "true"
        rate = str(self._engine.commission_rate)
        return {
            "makerCommission": 10, "takerCommission": 10, "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {"maker": rate, "taker": rate, "buyer": "0", "seller": "0"},
            "canTrade": self._exchange.can_trade, "canWithdraw": False, "canDeposit": False,
            "brokered": False,
            "requireSelfTradePrevention": False, "preventSor": False,
            "updateTime": self._exchange.now_ms(), "accountType": "SPOT",
            "balances": [
                {"asset": asset, "free": money(row.free), "locked": money(row.locked)}
                for asset, row in rows
                if zero or row.total
            ],
            "permissions": ["SPOT"], "uid": 354937868,
        }  # fmt: skip

    def _restrictions(self, _sent: Sent) -> Any:
        return {**self._exchange.may, "createTime": 1_700_000_000_000}

    def _commission(self, sent: Sent) -> Any:
        rate = money(self._engine.commission_rate)
        none = {"maker": "0", "taker": "0", "buyer": "0", "seller": "0"}
        return {
            "symbol": sent["symbol"],
            "standardCommission": {"maker": rate, "taker": rate, "buyer": "0", "seller": "0"},
            "specialCommission": none, "taxCommission": none,
            "discount": {"enabledForAccount": self._engine.fee_asset is not None,
                         "enabledForSymbol": True, "discountAsset": "BNB", "discount": "0.75"},
        }  # fmt: skip

    def _my_trades(self, sent: Sent) -> Any:
        limit = _limit(sent)
        _check_range(sent)
        first, order_id = whole(sent, "fromId"), sent.get("orderId")
        start, end = whole(sent, "startTime"), whole(sent, "endTime", 1 << 62)
        rows = [
            trade for trade in self._engine.trades
            if trade.symbol == sent["symbol"] and trade.id >= first
            and start <= trade.time <= end
            and (order_id is None or trade.order_id == whole(sent, "orderId"))
            and not self._engine.orders[trade.order_id].is_hidden
        ]  # fmt: skip
        is_forward = "fromId" in sent or "startTime" in sent
        rows = rows[:limit] if is_forward else rows[-limit:]
        return self._listed([trade.view() for trade in rows])

    def _listed(self, rows: list[Any]) -> list[Any]:
        """Trades as the faults of the moment list them."""
        script = self._exchange.script
        if script.state("duplicate_fill"):
            rows = [row for row in rows for _ in range(2)]
        return rows[::-1] if script.state("fills_out_of_order") else rows

    # --- orders ---------------------------------------------------------------------------------

    def _new_order(self, sent: Sent) -> Any:
        check_form(sent)
        rules = self._tradable(sent["symbol"])
        quantity = number(sent, "quantity")
        if "quoteOrderQty" in sent:
            amount = number(sent, "quoteOrderQty") / rules.ask / rules.step
            quantity = amount.to_integral_value(ROUND_DOWN) * rules.step
        order = self._made(rules, sent, sent["type"], quantity, sent.get("newClientOrderId"), sent)
        check_filters(rules, order, self._engine.open_orders(rules.name))
        self._engine.place(order)
        return self._answer(order, sent.get("newOrderRespType", "FULL"))

    def _made(
        self, rules: SymbolRules, sent: Sent, kind: str, quantity: Decimal,
        client_id: str | None, details: Mapping[str, str],
    ) -> Order:  # fmt: skip
        if client_id is not None:
            check_client_id(client_id, "newClientOrderId")
        order = self._engine.new_order(
            symbol=rules.name, client_id="", side=sent["side"], type=kind, quantity=quantity,
            price=number(details, "price"), stop_price=number(details, "stopPrice"),
            time_in_force=details.get("timeInForce", "GTC"),
            trailing_delta=whole(details, "trailingDelta"),
        )  # fmt: skip
        order.client_id = client_id or f"venue{order.id}"
        return order

    def _tradable(self, symbol: str) -> SymbolRules:
        rules = self._engine.symbols[symbol]
        if rules.status != "TRADING":
            raise Refused(-2010, "Market is closed.")
        return rules

    def _answer(self, order: Order, kind: str) -> Any:
        answer: dict[str, Any] = {
            "symbol": order.symbol, "orderId": order.id, "orderListId": order.list_id,
            "clientOrderId": order.client_id, "transactTime": order.time,
        }  # fmt: skip
        if kind == "ACK":
            return answer
        view = order.view()
        for name in ("time", "updateTime", "isWorking", "icebergQty"):
            view.pop(name)
        if order.type not in CONTINGENT:
            view.pop("stopPrice")
        answer |= view
        if kind == "FULL":
            fills = [trade.fill() for trade in self._engine.trades_of(order)]
            answer["fills"] = self._listed(fills)
        return answer

    def _found(self, sent: Sent) -> Order | None:
        """The order that a request names; hidden ones are not found."""
        if "orderId" not in sent and "origClientOrderId" not in sent:
            raise Refused(
                -1102,
                "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!",
            )
        order_id = whole(sent, "orderId") if "orderId" in sent else None
        order = self._engine.find(sent["symbol"], order_id, sent.get("origClientOrderId"))
        return None if order is None or order.is_hidden else order

    def _order(self, sent: Sent) -> Any:
        order = self._found(sent)
        if order is None:
            raise Refused(-2013, "Order does not exist.")
        return order.view()

    def _cancel(self, sent: Sent) -> Any:
        order = self._found(sent)
        if order is None or not order.is_open:
            raise Refused(-2011, "Unknown order sent.")
        ended = self._cancelled(order, sent)
        if order.list_id >= 0:
            return self._list_answer(order.list_id, ended)
        return ended[0]

    def _cancelled(self, order: Order, sent: Sent) -> list[Any]:
        cancel_id = sent.get("newClientOrderId", f"cancel{order.id}")
        rows = []
        for leg in self._engine.cancel(order, cancel_id):
            view = self._answer(leg, "RESULT")
            rows.append(
                view
                | {
                    "origClientOrderId": leg.client_id,
                    "clientOrderId": cancel_id,
                    "transactTime": leg.updated,
                }
            )
        return rows

    def _visible(self, symbol: str | None) -> list[Order]:
        return [order for order in self._engine.open_orders(symbol) if not order.is_hidden]

    def _open_orders(self, sent: Sent) -> Any:
        return [order.view() for order in self._visible(sent.get("symbol"))]

    def _cancel_all(self, sent: Sent) -> Any:
        orders = self._visible(sent["symbol"])
        if not orders:
            raise Refused(-2011, "Unknown order sent.")
        return [row for order in orders if order.is_open for row in self._cancelled(order, sent)]

    def _all_orders(self, sent: Sent) -> Any:
        _check_range(sent)
        first, limit = whole(sent, "orderId"), _limit(sent)
        start, end = whole(sent, "startTime"), whole(sent, "endTime", 1 << 62)
        rows = [
            order.view() for order in self._engine.orders.values()
            if order.symbol == sent["symbol"] and order.id >= first
            and start <= order.time <= end and not order.is_hidden
        ]  # fmt: skip
        return rows[:limit] if "orderId" in sent or "startTime" in sent else rows[-limit:]

    # --- lists of orders ------------------------------------------------------------------------

    def _new_oco(self, sent: Sent) -> Any:
        if sent["side"] not in ("BUY", "SELL"):
            raise Refused(-1117, "Invalid side.")
        rules = self._tradable(sent["symbol"])
        above, below = (self._leg(rules, sent, side) for side in ("above", "below"))
        if all(leg.type == "LIMIT_MAKER" for leg in (above, below)):
            raise Refused(-1168, "At least one OCO order must be contingent.")
        self._check_sides(above, below)
        for leg in (above, below):
            check_filters(rules, leg, self._engine.open_orders(rules.name))
        list_id = sent.get("listClientOrderId", f"list{above.id}")
        made = self._engine.place_list((above, below), check_client_id(list_id, "newClientOrderId"))
        return self._list_answer(made.id, [self._answer(leg, "RESULT") for leg in made.legs])

    def _leg(self, rules: SymbolRules, sent: Sent, side: str) -> Order:
        kind = sent[f"{side}Type"]
        if kind != "LIMIT_MAKER" and kind not in CONTINGENT:
            raise Refused(-1158, "Order type not supported in OCO.")
        names = ("price", "stopPrice", "trailingDelta", "timeInForce")
        details = {
            name: sent[key] for name in names if (key := side + name[0].upper() + name[1:]) in sent
        }
        form = {"type": kind, "side": sent["side"], "quantity": sent["quantity"], **details}
        check_form(form)
        client_id = sent.get(f"{side}ClientOrderId")
        return self._made(rules, sent, kind, number(sent, "quantity"), client_id, details)

    @staticmethod
    def _check_sides(above: Order, below: Order) -> None:
        """Which type may be above and which below the price, by side."""
        stop = above if above.is_buy else below
        limit = below if above.is_buy else above
        side, where = ("buy", "above") if above.is_buy else ("sell", "below")
        other = "below" if above.is_buy else "above"
        if limit.type.startswith("STOP"):
            code = -1196 if above.is_buy else -1197
            raise Refused(code, f"A stop loss order in a {side} OCO must be {where}.")
        if stop.type.startswith("TAKE"):
            code = -1198 if above.is_buy else -1199
            raise Refused(code, f"A take profit order in a {side} OCO must be {other}.")
        if stop.type == "LIMIT_MAKER":
            code = -1165 if above.is_buy else -1166
            raise Refused(code, f"A limit order in a {side} OCO must be {other}.")

    def _list_answer(self, list_id: int, reports: list[Any]) -> Any:
        return self._engine.lists[list_id].view() | {"orderReports": reports}

    def _order_list(self, sent: Sent) -> Any:
        list_id = whole(sent, "orderListId") if "orderListId" in sent else None
        found = self._exchange.find_list(list_id, sent.get("origClientOrderId"))
        if found is None:
            raise Refused(-2018, "Order list does not exist.")
        return found.view()

    def _cancel_list(self, sent: Sent) -> Any:
        if "orderListId" not in sent and "listClientOrderId" not in sent:
            raise missing("orderListId")
        list_id = whole(sent, "orderListId") if "orderListId" in sent else None
        found = self._exchange.find_list(list_id, sent.get("listClientOrderId"))
        if found is None or found.is_done:
            raise Refused(-2011, "Unknown order sent.")
        return self._list_answer(found.id, self._cancelled(found.legs[0], sent))


def _limit(sent: Sent) -> int:
    limit = whole(sent, "limit", 500)
    if not 1 <= limit <= 1000:
        raise Refused(-1130, "Data sent for parameter 'limit' is not valid.")
    return limit


def _check_range(sent: Sent) -> None:
    if "startTime" in sent and "endTime" in sent:
        if whole(sent, "endTime") - whole(sent, "startTime") > DAY_MS:
            raise Refused(-1127, "More than 24 hours between startTime and endTime.")
        if "fromId" in sent:
            raise Refused(-1128, "Combination of optional parameters invalid.")
    if "fromId" in sent and ("startTime" in sent or "endTime" in sent):
        raise Refused(-1128, "Combination of optional parameters invalid.")
