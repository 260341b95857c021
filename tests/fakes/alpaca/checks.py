"""What the stand-in asks of an order: known fields, texts that are amounts, and Alpaca's rules."""

import re
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.fakes.alpaca.matching import Matching
from tests.fakes.alpaca.records import Asset, Order, Refused, refused

FIELDS = frozenset({
    "symbol", "qty", "side", "type", "time_in_force", "limit_price", "stop_price", "trail_percent",
    "trail_price", "extended_hours", "client_order_id", "order_class", "take_profit", "stop_loss",
    "position_intent", "notional",
})  # fmt: skip
LEVELS = {
    "market": frozenset(), "limit": frozenset({"limit_price"}), "stop": frozenset({"stop_price"}),
    "stop_limit": frozenset({"limit_price", "stop_price"}),
    "trailing_stop": frozenset({"trail_percent"}),
}  # fmt: skip
CRYPTO_TYPES = frozenset({"market", "limit", "stop_limit"})
AMOUNT = re.compile(r"\d+(\.\d{1,9})?")
LONGEST_ID = 48


def orders_of(body: Any, matching: Matching) -> list[Order]:
    """The order, or the two of a pair, that a body asks for. Raises Refused."""
    if not isinstance(body, dict):
        raise Refused(400, 40010000, "request body format is invalid")
    unknown = body.keys() - FIELDS
    if unknown:
        raise Refused(422, 40010001, f"unknown fields: {', '.join(sorted(unknown))}")
    asset = matching.assets.get(str(body.get("symbol")))
    if asset is None or not asset.is_tradable:
        raise refused(f'asset "{body.get("symbol")}" not found')
    client_id = body.get("client_order_id") or str(uuid.uuid4())
    if len(client_id) > LONGEST_ID:
        raise Refused(422, 40010001, "client_order_id must be no more than 48 characters")
    if any(order.client_id == client_id for order in matching.orders.values()):
        raise Refused(422, 40010001, "client_order_id must be unique")
    made = _pair(body, asset, matching) if "order_class" in body else [_single(body, asset)]
    for order in made:
        order.created = matching.now()
        _check_prices(order)
    made[0].client_id = client_id
    made[0].position_intent = str(body.get("position_intent", ""))
    _check_rules(made[0])
    _check_wash(made[0], matching)
    return made


def _single(body: Mapping[str, Any], asset: Asset) -> Order:
    kind = body.get("type")
    if kind not in LEVELS:
        raise refused("invalid order type")
    given = body.keys() & {"limit_price", "stop_price", "trail_percent", "trail_price"}
    if given != LEVELS[kind]:
        raise refused(f"{kind} orders require {', '.join(sorted(LEVELS[kind])) or 'no price'}")
    return Order(
        asset, "", _side(body), kind, _amount(body, "qty"), _lasting(body), None,  # type: ignore[arg-type]
        limit=_maybe(body, "limit_price"), stop=_maybe(body, "stop_price"),
        trail_percent=_maybe(body, "trail_percent"),
    )  # fmt: skip


def _pair(body: Mapping[str, Any], asset: Asset, matching: Matching) -> list[Order]:
    target, stop = body.get("take_profit"), body.get("stop_loss")
    if body["order_class"] != "oco" or asset.is_crypto:
        raise refused("complex orders are not supported for this")
    if body.get("type") != "limit" or not isinstance(target, dict) or not isinstance(stop, dict):
        raise refused("oco orders require take_profit.limit_price and stop_loss.stop_price")
    if target.keys() != {"limit_price"} or not {"stop_price"} <= stop.keys() <= {
        "stop_price", "limit_price",
    }:  # fmt: skip
        raise refused("oco orders require take_profit.limit_price and stop_loss.stop_price")
    side, quantity, lasting = _side(body), _amount(body, "qty"), _lasting(body)
    if lasting not in ("day", "gtc"):
        raise refused("complex orders must be DAY or GTC")
    if quantity % 1:
        raise refused("fractional orders must be simple orders")
    now = matching.now()
    first = Order(asset, "", side, "limit", quantity, lasting, now,
                  limit=_amount(target, "limit_price"), order_class="oco")  # fmt: skip
    second = Order(asset, str(uuid.uuid4()), side, "stop_limit" if "limit_price" in stop else
                   "stop", quantity, lasting, now, limit=_maybe(stop, "limit_price"),
                   stop=_amount(stop, "stop_price"), order_class="oco")  # fmt: skip
    base = min(first.limit or asset.price, asset.price)
    if side == "sell" and not (second.stop or base) <= base - Decimal("0.01"):
        raise refused("stop_loss.stop_price must be <= base_price - 0.01")
    return [first, second]


def _check_rules(order: Order) -> None:
    asset, is_part = order.asset, bool(order.quantity % 1)
    if asset.is_crypto:
        if order.type not in CRYPTO_TYPES:
            raise refused("invalid order type for crypto order")
        if order.lasting not in ("gtc", "ioc"):
            raise refused("invalid crypto time_in_force")
        if order.quantity % asset.step or order.quantity < asset.least:
            raise refused("qty increment is invalid")
        if order.position_intent:
            raise refused("position_intent is not valid for crypto")
        return
    if is_part and not asset.is_fractionable:
        raise refused(f'asset "{asset.symbol}" is not fractionable')
    if is_part and (order.lasting != "day" or order.type == "trailing_stop"):
        raise refused("fractional orders must be DAY orders")
    if order.type == "trailing_stop" and order.lasting not in ("day", "gtc"):
        raise refused("invalid time_in_force for trailing stop order")


def _check_prices(order: Order) -> None:
    for name, price in (("limit_price", order.limit), ("stop_price", order.stop)):
        if price is None:
            continue
        finest = order.asset.tick
        if not order.asset.is_crypto:
            finest = Decimal("0.01") if price >= 1 else Decimal("0.0001")
        if price % finest:
            raise refused(f"invalid {name} {price}. sub-penny increment does not fulfill minimum "
                          "pricing criteria")  # fmt: skip


def _check_wash(order: Order, matching: Matching) -> None:
    """Two orders of one account that could trade with each other."""
    for other in matching.open_orders():
        if other.asset is not order.asset or other.side == order.side or other.has_trigger:
            continue
        buy, sell = (order, other) if order.is_buy else (other, order)
        is_apart = None not in (buy.limit, sell.limit) and buy.limit < sell.limit  # type: ignore[operator]
        if not is_apart:
            raise Refused(403, 40310000, "potential wash trade detected. use complex orders")


def _side(body: Mapping[str, Any]) -> str:
    if body.get("side") not in ("buy", "sell"):
        raise refused("invalid side")
    return str(body["side"])


def _lasting(body: Mapping[str, Any]) -> str:
    if body.get("time_in_force") not in ("day", "gtc", "ioc", "fok"):
        raise refused("invalid time_in_force")
    return str(body["time_in_force"])


def _maybe(body: Mapping[str, Any], name: str) -> Decimal | None:
    return _amount(body, name) if name in body else None


def _amount(body: Mapping[str, Any], name: str) -> Decimal:
    """Texts only: a JSON number has been through a float on its way."""
    told = body.get(name)
    if not isinstance(told, str) or not AMOUNT.fullmatch(told) or not Decimal(told):
        raise Refused(422, 40010001, f"{name} must be a positive number with at most 9 decimals")
    return Decimal(told)
