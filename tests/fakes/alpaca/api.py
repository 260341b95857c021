"""What each address answers. After docs.alpaca.markets, Trading API and Market Data API."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fakes.alpaca import views
from tests.fakes.alpaca.bars import bars_of
from tests.fakes.alpaca.checks import orders_of
from tests.fakes.alpaca.exchange import AlpacaExchange
from tests.fakes.alpaca.records import DONE, ZERO, Refused

Query = Mapping[str, str]
PARAMETERS: dict[str, frozenset[str]] = {
    "GET /v2/account": frozenset(),
    "GET /v2/positions": frozenset(),
    "GET /v2/clock": frozenset(),
    "GET /v2/calendar": frozenset({"start", "end"}),
    "GET /v2/assets": frozenset({"status", "asset_class", "exchange"}),
    "GET /v2/orders": frozenset({
        "status", "limit", "after", "until", "direction", "nested", "side", "symbols"}),
    "GET /v2/orders/{id}": frozenset({"nested"}),
    "GET /v2/orders:by_client_order_id": frozenset({"client_order_id"}),
    "DELETE /v2/orders/{id}": frozenset(),
    "POST /v2/orders": frozenset(),
    "GET /v2/account/activities": frozenset({
        "after", "until", "direction", "page_size", "page_token", "category", "date"}),
    "GET /v2/account/activities/FILL": frozenset({
        "after", "until", "direction", "page_size", "page_token", "date"}),
    "GET /v2/stocks/bars": frozenset({
        "symbols", "timeframe", "start", "end", "limit", "adjustment", "feed", "page_token",
        "sort"}),
    "GET /v2/stocks/snapshots": frozenset({"symbols", "feed"}),
    "GET /v1beta3/crypto/us/bars": frozenset({
        "symbols", "timeframe", "start", "end", "limit", "page_token", "sort"}),
    "GET /v1beta3/crypto/us/snapshots": frozenset({"symbols"}),
}  # fmt: skip
NUMBER = re.compile(r"/v2/orders/([0-9a-f-]{36})")


def endpoint_of(method: str, path: str) -> str:
    """The address without what it names."""
    return f"{method} {NUMBER.sub('/v2/orders/{id}', path)}"


class Api:
    """Answers requests; the exchange's lock is held."""

    def __init__(self, exchange: AlpacaExchange) -> None:
        self._exchange = exchange
        self._matching = exchange.matching
        self._answers: dict[str, Callable[[Query], Any]] = {
            "GET /v2/account": lambda _: views.account_view(exchange),
            "GET /v2/positions": self._positions,
            "GET /v2/clock": lambda _: views.clock_view(exchange),
            "GET /v2/calendar": self._calendar,
            "GET /v2/assets": self._assets,
            "GET /v2/orders": self._orders,
            "GET /v2/orders:by_client_order_id": self._by_client_id,
            "GET /v2/account/activities": self._other_activities,
            "GET /v2/account/activities/FILL": self._fills,
            "GET /v2/stocks/bars": self._bars,
            "GET /v2/stocks/snapshots": self._snapshots,
            "GET /v1beta3/crypto/us/bars": self._bars,
            "GET /v1beta3/crypto/us/snapshots": self._snapshots,
        }

    def process(self, method: str, path: str, query: Query, body: Any, keys: tuple[Any, Any]
                ) -> tuple[int, Any]:  # fmt: skip
        """Status and answer."""
        try:
            self._check_key(keys, is_data="/v2/stocks" in path)
            endpoint = endpoint_of(method, path)
            if endpoint not in PARAMETERS:
                raise Refused(404, 40410000, "endpoint not found.")
            unknown = query.keys() - PARAMETERS[endpoint]
            if unknown:
                raise Refused(400, 40010001, f"unknown parameters: {', '.join(sorted(unknown))}")
            self._matching.settle()
            if endpoint == "POST /v2/orders":
                order = self._matching.place(*orders_of(body, self._matching))
                return 200, views.order_view(order, is_nested=self._exchange.tells_legs)
            number = NUMBER.fullmatch(path)
            if number is not None:
                return self._one(method, number[1], query)
            return 200, self._answers[endpoint](query)
        except Refused as answer:
            return answer.status, answer.body()

    def _check_key(self, keys: tuple[Any, Any], *, is_data: bool) -> None:
        is_known = keys == (self._exchange.key, self._exchange.secret)
        if not is_known or self._exchange.script.state("key_revoked"):
            raise Refused(401 if is_data else 403, None, "forbidden.")

    # --- orders --------------------------------------------------------------------------------

    def _one(self, method: str, number: str, query: Query) -> tuple[int, Any]:
        order = self._matching.orders.get(number)
        if order is None:
            raise Refused(404, 40410000, f"order not found for {number}")
        if method == "DELETE":
            self._matching.cancel(order)
            return 204, None
        return 200, views.order_view(order, is_nested=query.get("nested") == "true")

    def _by_client_id(self, query: Query) -> Any:
        for order in self._matching.orders.values():
            if order.client_id == query.get("client_order_id"):
                return views.order_view(order)
        raise Refused(404, 40410000, "order not found")

    def _orders(self, query: Query) -> Any:
        """A leg that is held is told with its parent only, when that is asked for."""
        wanted = query.get("status", "open")
        symbols = query["symbols"].split(",") if "symbols" in query else None
        is_nested = query.get("nested") == "true"
        after = _moment(query.get("after"))
        found = [
            order
            for order in self._matching.orders.values()
            if (wanted == "all" or (order.status in DONE) is (wanted == "closed"))
            and (symbols is None or order.asset.symbol in symbols)
            and (after is None or order.created > after)
            and not (order.is_leg and (is_nested or order.status == "held"))
        ]
        if query.get("direction", "desc") == "desc":
            found.reverse()
        limit = int(query.get("limit", 50))
        if not 1 <= limit <= 500:
            raise Refused(422, 40010001, "limit must be between 1 and 500")
        return [views.order_view(order, is_nested=is_nested) for order in found[:limit]]

    # --- the account ---------------------------------------------------------------------------

    def _positions(self, _query: Query) -> Any:
        matching = self._matching
        return [
            views.position_view(asset, held, matching.available(asset))
            for asset in matching.assets.values()
            if (held := matching.positions.get(asset.base, ZERO))
        ]

    def _fills(self, query: Query) -> Any:
        after = _moment(query.get("after"))
        found = [
            views.activity_view(trade)
            for trade in self._exchange.listed_trades()
            if after is None or trade.time > after
        ]
        return _page(found, query)

    def _other_activities(self, query: Query) -> Any:
        if query.get("category") != "non_trade_activity":
            raise Refused(422, 40010001, "category is missing")
        after = _moment(query.get("after"))
        found = [one for one in self._exchange.activities
                 if after is None or str(one["date"]) > f"{after:%Y-%m-%d}"]  # fmt: skip
        return _page(found, query)

    # --- the market ----------------------------------------------------------------------------

    def _assets(self, query: Query) -> Any:
        is_crypto = query.get("asset_class") == "crypto"
        return [views.asset_view(asset) for asset in self._matching.assets.values()
                if asset.is_crypto is is_crypto]  # fmt: skip

    def _calendar(self, query: Query) -> Any:
        first, last = (datetime.fromisoformat(query[name]).date() for name in ("start", "end"))
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        return [
            {"date": f"{day}", "open": f"{session[0]:%H:%M}", "close": f"{session[1]:%H:%M}",
             "session_open": "0400", "session_close": "2000"}
            for day in days if (session := self._exchange.sessions.on(day)) is not None
        ]  # fmt: skip

    def _snapshots(self, query: Query) -> Any:
        self._check_feed(query)
        now = self._exchange.now()
        found = {
            name: views.snapshot_view(self._matching.assets[name], now)
            for name in query["symbols"].split(",")
            if name in self._matching.assets
        }
        return {"snapshots": found} if "/" in query["symbols"] else found

    def _bars(self, query: Query) -> Any:
        self._check_feed(query)
        asset = self._matching.assets.get(query["symbols"])
        if asset is None:
            return {"bars": {}, "next_page_token": None}
        return bars_of(asset, query, self._exchange.sessions, self._exchange.now())

    def _check_feed(self, query: Query) -> None:
        if query.get("feed", "iex") not in ("iex", self._exchange.subscription):
            raise Refused(403, None, "subscription does not permit querying recent SIP data")


def _page(found: list[dict[str, Any]], query: Query) -> list[dict[str, Any]]:
    size = int(query.get("page_size", 100))
    if not 1 <= size <= 100:
        raise Refused(422, 40010001, "page_size must be between 1 and 100")
    if query.get("direction") != "asc":
        found = found[::-1]
    token = query.get("page_token")
    places = [place for place, one in enumerate(found) if one["id"] == token]
    begin = places[0] + 1 if places else 0
    return found[begin : begin + size]


def _moment(told: str | None) -> datetime | None:
    if told is None:
        return None
    try:
        return datetime.fromisoformat(told).astimezone(UTC)
    except ValueError as error:
        raise Refused(422, 40010001, f"{told} is no time") from error
