"""The endpoints of Kite Connect v3: what each of them answers, and which parameters it takes."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from tests.fakes.kite.history import INTERVALS, candles
from tests.fakes.kite.kite import API_KEY, API_SECRET, Kite
from tests.fakes.kite.records import IST, ZERO, Order, Refused, Share, local, plain

Sent = dict[str, str]
NO_ORDER = "Couldn't find that `order_id`."
ORDER_FIELDS = frozenset({
    "variety", "exchange", "tradingsymbol", "transaction_type", "quantity", "product",
    "order_type", "price", "trigger_price", "validity", "tag", "market_protection",
})  # fmt: skip
NEEDED = ORDER_FIELDS - {"price", "trigger_price", "tag", "market_protection"}


@dataclass(frozen=True)
class Endpoint:
    """What one endpoint takes, and who answers it."""

    answer: Callable[..., Any]
    takes: frozenset[str] = frozenset()
    is_order: bool = False
    is_open: bool = False  # needs no token
    is_table: bool = False


class Api:
    """Checks and answers requests; Kite's lock is held meanwhile."""

    def __init__(self, kite: Kite) -> None:
        self._kite = kite
        history = frozenset({"from", "to", "interval", "continuous", "oi"})
        self._routes: dict[tuple[str, ...], Endpoint] = {
            ("POST", "session", "token"): Endpoint(
                self._session, frozenset({"api_key", "request_token", "checksum"}), is_open=True
            ),
            ("GET", "user", "profile"): Endpoint(self._profile),
            ("GET", "user", "margins", "equity"): Endpoint(self._margins),
            ("GET", "portfolio", "positions"): Endpoint(self._positions),
            ("GET", "portfolio", "holdings"): Endpoint(self._holdings),
            ("GET", "orders"): Endpoint(self._orders),
            ("GET", "trades"): Endpoint(self._trades),
            ("GET", "orders", "*", "trades"): Endpoint(self._order_trades),
            ("POST", "orders", "regular"): Endpoint(self._place, ORDER_FIELDS, is_order=True),
            ("DELETE", "orders", "regular", "*"): Endpoint(self._cancel, is_order=True),
            ("GET", "quote"): Endpoint(self._quote, frozenset({"i"})),
            ("GET", "instruments", "*"): Endpoint(self._instruments, is_table=True),
            ("GET", "instruments", "historical", "*", "*"): Endpoint(self._history, history),
        }

    def process(
        self, method: str, path: str, pairs: list[tuple[str, str]], headers: dict[str, str]
    ) -> tuple[Any, bool]:
        """The answer, and whether it is a table. Raises Refused."""
        parts = [part for part in path.split("/") if part]
        endpoint, words = self._found(method, parts)
        if headers.get("x-kite-version") != "3":
            raise Refused("InputException", "Missing or invalid X-Kite-Version.")
        self._check_key(endpoint, headers)
        names = [name for name, _ in pairs]
        if set(names) - endpoint.takes or (len(set(names)) != len(names) and "i" not in names):
            raise Refused("InputException", f"Unexpected parameters: {', '.join(sorted(names))}.")
        if method == "POST" and not headers.get("content-type", "").startswith(
            "application/x-www-form-urlencoded"
        ):
            raise Refused("InputException", "Parameters have to be a form.")
        if endpoint.is_order:
            self._check_address()
        if parts == ["quote"]:
            return self._quote([value for _, value in pairs]), False
        sent = dict(pairs)
        return endpoint.answer(*words, *([sent] if endpoint.takes else [])), endpoint.is_table

    def _found(self, method: str, parts: list[str]) -> tuple[Endpoint, list[str]]:
        for route, endpoint in self._routes.items():
            if len(route) == len(parts) + 1 and route[0] == method:
                pairs = list(zip(route[1:], parts, strict=True))
                if all(known in ("*", part) for known, part in pairs):
                    return endpoint, [part for known, part in pairs if known == "*"]
        raise Refused("GeneralException", "Route not found.", 404)

    def _check_key(self, endpoint: Endpoint, headers: dict[str, str]) -> None:
        if endpoint.is_open:
            return
        is_known = headers.get("authorization") == f"token {API_KEY}:{self._kite.token}"
        if not is_known or self._kite.state("logged_out"):
            raise Refused("TokenException", "Incorrect `api_key` or `access_token`.", 403)

    def _check_address(self) -> None:
        if self._kite.state("other_address"):
            raise Refused(
                "PermissionException", "IP (203.0.113.7) is not allowed to place orders for this"
                " app. Update the allowed IPs on the Kite Connect developer console.", 403,
            )  # fmt: skip

    # --- the session ------------------------------------------------------------------------------

    def _session(self, sent: Sent) -> Any:
        token = sent.get("request_token", "")
        told = sent.get("checksum", "")
        if told != hashlib.sha256((API_KEY + token + API_SECRET).encode()).hexdigest():
            raise Refused("TokenException", "Invalid `checksum`.", 403)
        if sent.get("api_key") != API_KEY or token not in self._kite.request_tokens:
            raise Refused("TokenException", "Token is invalid or has expired.", 403)
        self._kite.request_tokens.discard(token)
        return {
            **self._profile(), "api_key": API_KEY, "access_token": self._kite.token,
            "public_token": "publictoken", "refresh_token": "", "enctoken": "", "silo": "",
            "login_time": local(self._kite.now()),
        }  # fmt: skip

    def _profile(self) -> Any:
        return {
            "user_id": "XX0000", "user_type": "individual", "email": "x@example.com",
            "user_name": "Kite Connect", "user_shortname": "Connect", "broker": "ZERODHA",
            "exchanges": ["NSE", "BSE", "MF"], "products": self._kite.products,
            "order_types": ["MARKET", "LIMIT", "SL", "SL-M"], "avatar_url": None,
            "meta": {"demat_consent": "consent"},
        }  # fmt: skip

    # --- the account ------------------------------------------------------------------------------

    def _margins(self) -> Any:
        free, cash = self._kite.free_cash(), self._kite.cash
        return {
            "enabled": True, "net": plain(free),
            "available": {
                "adhoc_margin": 0, "cash": plain(cash), "opening_balance": plain(cash),
                "live_balance": plain(free), "collateral": 0, "intraday_payin": 0,
            },
            "utilised": {"debits": plain(cash - free), "exposure": 0, "span": 0, "turnover": 0},
        }  # fmt: skip

    def _positions(self) -> Any:
        keys = {(one.exchange, one.symbol, one.product) for one in self._kite.visible()
                if one.trades}  # fmt: skip
        lines = [self._position(*key) for key in sorted(keys)]
        return {"net": lines, "day": lines}

    def _position(self, exchange: str, symbol: str, product: str) -> Any:
        bought = self._kite.day_quantity(symbol, product, "BUY")
        sold = self._kite.day_quantity(symbol, product, "SELL")
        share = self._kite.shares[f"{exchange}:{symbol}"]
        return {
            "tradingsymbol": symbol, "exchange": exchange, "instrument_token": share.token,
            "product": product, "quantity": plain(bought - sold), "overnight_quantity": 0,
            "multiplier": 1, "last_price": plain(share.price), "day_buy_quantity": plain(bought),
            "day_sell_quantity": plain(sold), "buy_quantity": plain(bought),
            "sell_quantity": plain(sold),
        }  # fmt: skip

    def _holdings(self) -> Any:
        lines = []
        for symbol, opening in self._kite.holdings.items():
            day = self._kite.day_quantity(symbol, "CNC")
            sold = min(max(-day, ZERO), opening)
            lines.append(
                {
                    "tradingsymbol": symbol, "exchange": "NSE", "isin": "INE000A01001",
                    "product": "CNC", "quantity": plain(opening - sold), "t1_quantity": 0,
                    "used_quantity": plain(sold), "realised_quantity": plain(opening),
                    "opening_quantity": plain(opening), "collateral_quantity": 0,
                    "average_price": 261.5,
                }
            )  # fmt: skip
        return lines

    def _orders(self) -> Any:
        return [order.view() for order in self._kite.visible()]

    def _trades(self) -> Any:
        return [trade.view() for order in self._kite.visible() for trade in order.trades]

    def _order_trades(self, order_id: str) -> Any:
        return [trade.view() for trade in self._order(order_id).trades]

    def _order(self, order_id: str) -> Order:
        order = self._kite.orders.get(order_id)
        if order is None or order.is_hidden:
            raise Refused("OrderException", NO_ORDER)
        return order

    # --- orders -----------------------------------------------------------------------------------

    def _place(self, sent: Sent) -> Any:
        if NEEDED - set(sent):
            raise Refused("InputException", f"Missing {', '.join(sorted(NEEDED - set(sent)))}.")
        if sent["variety"] != "regular" or sent["product"] not in ("CNC", "MIS"):
            raise Refused("InputException", "Invalid `variety` or `product`.")
        share = self._kite.shares.get(f"{sent['exchange']}:{sent['tradingsymbol']}")
        if share is None:
            raise Refused("InputException", "Invalid `tradingsymbol`.")
        is_side = sent["transaction_type"] in ("BUY", "SELL")
        if not is_side or sent["validity"] not in ("DAY", "IOC"):
            raise Refused("InputException", "Invalid `transaction_type` or `validity`.")
        if self._kite.state("market_closed"):
            raise Refused(
                "OrderException", "Markets are closed right now. Use GTT for placing long standing"
                " orders instead or place an AMO.",
            )  # fmt: skip
        tag = sent.get("tag")
        if tag is not None and not (tag.isascii() and tag.isalnum() and len(tag) <= 20):
            raise Refused("InputException", "Invalid `tag`.")
        order = self._made(share, sent, tag)
        self._kite.check_funds(order)
        self._kite.take(order)
        return {"order_id": order.order_id}

    def _made(self, share: Share, sent: Sent, tag: str | None) -> Order:
        kind = sent["order_type"]
        price, trigger = _number(sent, "price"), _number(sent, "trigger_price")
        quantity = _number(sent, "quantity")
        if kind not in ("MARKET", "LIMIT", "SL", "SL-M"):
            raise Refused("InputException", "Invalid `order_type`.")
        if not quantity or quantity % 1:
            raise Refused("InputException", "Invalid `quantity`.")
        for value, has_it in ((price, kind in ("LIMIT", "SL")), (trigger, kind.startswith("SL"))):
            if bool(value) is not has_it or value % share.tick:
                raise Refused("InputException", "Enter a valid price on the tick size.")
        protection = int(sent.get("market_protection", "0"))
        if (kind in ("MARKET", "SL-M")) is not (protection != 0) or not -1 <= protection <= 100:
            raise Refused(
                "InputException", "Market orders without market protection are not allowed via API."
                " Please set market protection or use a Limit order.",
            )  # fmt: skip
        is_buy = sent["transaction_type"] == "BUY"
        if kind.startswith("SL"):
            if sent["validity"] != "DAY":
                raise Refused("InputException", "Invalid `validity`.")
            if (trigger <= share.price) if is_buy else (trigger >= share.price):
                raise Refused("OrderException", "Trigger price is on the wrong side of the price.")
            if kind == "SL" and ((price < trigger) if is_buy else (price > trigger)):
                raise Refused("OrderException", "The price is on the wrong side of the trigger.")
        made = self._kite.new_order(
            share, sent["transaction_type"], kind, sent["product"], sent["validity"], quantity,
            price, trigger, tag,
        )  # fmt: skip
        made.market_protection = protection
        return made

    def _cancel(self, order_id: str) -> Any:
        order = self._order(order_id)
        if order.status == "PUT ORDER REQ RECEIVED":
            raise Refused("OrderException", "Order cannot be cancelled as it is being processed.")
        if not order.is_working:
            raise Refused("OrderException", f"Order is {order.status.lower()} already.")
        order.status = "CANCELLED"
        return {"order_id": order_id}

    # --- the market -------------------------------------------------------------------------------

    def _quote(self, names: list[str]) -> Any:
        if not names or len(names) > 500:
            raise Refused("InputException", "Between 1 and 500 instruments.")
        found = {name: self._kite.shares[name] for name in names if name in self._kite.shares}
        stamp = local(self._kite.now())
        return {
            name: {
                "instrument_token": share.token, "timestamp": stamp, "last_trade_time": stamp,
                "last_price": plain(share.price), "last_quantity": 1, "volume": 375_000,
                "average_price": plain(share.price), "buy_quantity": 100, "sell_quantity": 100,
                "net_change": 0, "oi": 0,
                "ohlc": dict.fromkeys(("open", "high", "low", "close"), plain(share.price)),
                "depth": {
                    "buy": [{"price": plain(share.bid), "quantity": 100, "orders": 1}],
                    "sell": [{"price": plain(share.ask), "quantity": 100, "orders": 1}],
                },
            }
            for name, share in found.items()
        }  # fmt: skip

    def _instruments(self, exchange: str) -> str:
        head = ("instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,"
                "tick_size,lot_size,instrument_type,segment,exchange\n")  # fmt: skip
        lines = [
            f"{one.token},{one.token // 256},{one.symbol},{one.name},0,,0,{one.tick},1,EQ,"
            f"{exchange},{exchange}\n"
            for one in self._kite.shares.values()
            if one.exchange == exchange
        ]
        index = f"256265,1001,NIFTY 50,NIFTY 50,0,,0,0,0,EQ,INDICES,{exchange}\n"
        return head + index + "".join(lines)

    def _history(self, token: str, interval: str, sent: Sent) -> Any:
        share = next((one for one in self._kite.shares.values() if str(one.token) == token), None)
        if share is None or interval not in INTERVALS or sent.get("interval") != interval:
            raise Refused("InputException", "Invalid instrument token or interval.")
        try:
            start, end = (
                datetime.strptime(sent[name], "%Y-%m-%d %H:%M:%S").replace(tzinfo=IST)
                for name in ("from", "to")
            )
        except (KeyError, ValueError):
            raise Refused("InputException", "Invalid `from` or `to`.") from None
        most = INTERVALS[interval].most_days
        if (end - start).days > most:
            raise Refused("InputException", f"interval exceeds max limit: {most} days")
        return {"candles": candles(share, interval, start, end, self._kite)}


def _number(sent: Sent, name: str) -> Decimal:
    """An exact number in plain notation; 0 where it is not sent. Raises Refused."""
    told = sent.get(name)
    if told is None:
        return ZERO
    try:
        value = Decimal(told)
    except InvalidOperation:
        value = ZERO
    if value <= 0 or "e" in told.lower():
        raise Refused("InputException", f"Invalid `{name}`.")
    return value
