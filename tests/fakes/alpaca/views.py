"""Answers in the service's own form: amounts are texts, times RFC 3339 to the nanosecond."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.fakes.alpaca.records import NEW_YORK, ZERO, Asset, Order, Trade

if TYPE_CHECKING:
    from tests.fakes.alpaca.exchange import AlpacaExchange

View = dict[str, Any]


def money(value: Decimal) -> str:
    """A plain number without trailing zeros."""
    told = format(value, "f")
    return told.rstrip("0").rstrip(".") if "." in told else told


def stamp(moment: datetime | None) -> str | None:
    """A time with nanoseconds."""
    return None if moment is None else f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06}000Z"


def asset_view(asset: Asset) -> View:
    """One asset."""
    view: View = {
        "id": asset.id, "class": "crypto" if asset.is_crypto else "us_equity",
        "exchange": "CRYPTO" if asset.is_crypto else "NASDAQ", "symbol": asset.symbol,
        "name": f"{asset.symbol} Inc.", "status": "active", "tradable": asset.is_tradable,
        "marginable": not asset.is_crypto, "shortable": not asset.is_crypto,
        "easy_to_borrow": not asset.is_crypto, "fractionable": asset.is_fractionable,
        "attributes": [],
    }  # fmt: skip
    if asset.is_crypto:
        view |= {"min_order_size": money(asset.least), "min_trade_increment": money(asset.step),
                 "price_increment": money(asset.tick)}  # fmt: skip
    return view


def order_view(order: Order, *, is_nested: bool = False) -> View:
    """One order, with its leg when that is wanted."""
    mean = money(order.paid / order.filled) if order.filled else None
    view: View = {
        "id": order.id, "client_order_id": order.client_id, "created_at": stamp(order.created),
        "updated_at": stamp(order.updated), "submitted_at": stamp(order.created),
        "filled_at": stamp(order.updated) if order.status == "filled" else None,
        "expired_at": stamp(order.updated) if order.status == "expired" else None,
        "canceled_at": stamp(order.updated) if order.status == "canceled" else None,
        "failed_at": None, "replaced_at": None, "replaced_by": None, "replaces": None,
        "asset_id": order.asset.id, "symbol": order.asset.symbol,
        "asset_class": "crypto" if order.asset.is_crypto else "us_equity", "notional": None,
        "qty": money(order.quantity), "filled_qty": money(order.filled),
        "filled_avg_price": mean,
        "order_class": order.order_class, "order_type": order.type, "type": order.type,
        "side": order.side, "position_intent": f"{order.side}_to_{_intent(order)}",
        "time_in_force": order.lasting,
        "limit_price": None if order.limit is None else money(order.limit),
        "stop_price": money(order.trigger) if order.has_trigger else None, "status": order.status,
        "extended_hours": False, "legs": None,
        "trail_percent": None if order.trail_percent is None else money(order.trail_percent),
        "trail_price": None, "hwm": money(order.best) if order.trail_percent is not None else None,
        "subtag": None, "source": None,
    }  # fmt: skip
    if is_nested and order.sibling is not None and not order.is_leg:
        view["legs"] = [order_view(order.sibling)]
    return view


def _intent(order: Order) -> str:
    return "open" if order.is_buy else "close"


def position_view(asset: Asset, quantity: Decimal, available: Decimal) -> View:
    """One position; crypto is named without its slash here."""
    value = money(quantity * asset.price)
    return {
        "asset_id": asset.id, "symbol": asset.symbol.replace("/", ""),
        "exchange": "CRYPTO" if asset.is_crypto else "NASDAQ",
        "asset_class": "crypto" if asset.is_crypto else "us_equity",
        "asset_marginable": not asset.is_crypto, "qty": money(quantity),
        "qty_available": money(available), "avg_entry_price": money(asset.price), "side": "long",
        "market_value": value, "cost_basis": value, "unrealized_pl": "0",
        "unrealized_plpc": "0", "unrealized_intraday_pl": "0", "unrealized_intraday_plpc": "0",
        "current_price": money(asset.price), "lastday_price": money(asset.price),
        "change_today": "0",
    }  # fmt: skip


def account_view(exchange: "AlpacaExchange") -> View:
    """The account; without a loan."""
    matching = exchange.matching
    power = money(max(matching.buying_power(), ZERO))
    return {
        "id": "1d9eed04-be39-4e01-9b84-a48ac5bbafcf", "account_number": "PA3LOOPBACK",
        "currency": "USD", "cash": money(matching.cash), "buying_power": power,
        "regt_buying_power": power, "non_marginable_buying_power": power, "multiplier": "1",
        "accrued_fees": "0", "equity": money(matching.cash), "created_at": "2023-01-01T18:20:20Z",
        **exchange.account,
    }  # fmt: skip


def activity_view(trade: Trade) -> View:
    """A trade among the activities."""
    order = trade.order
    return {
        "activity_type": "FILL", "id": trade.id, "cum_qty": money(trade.cumulative),
        "leaves_qty": money(order.quantity - trade.cumulative), "price": money(trade.price),
        "qty": money(trade.quantity), "side": order.side, "symbol": order.asset.symbol,
        "transaction_time": stamp(trade.time), "order_id": order.id,
        "type": "fill" if trade.cumulative == order.quantity else "partial_fill",
        "order_status": order.status,
    }  # fmt: skip


def clock_view(exchange: "AlpacaExchange") -> View:
    """The market's clock, in New York's time."""
    now, sessions = exchange.now(), exchange.sessions
    return {
        "timestamp": now.astimezone(NEW_YORK).isoformat(),
        "is_open": sessions.is_open(now),
        "next_open": sessions.next(now, 0).isoformat(),
        "next_close": sessions.next(now, 1).isoformat(),
    }


def snapshot_view(asset: Asset, now: datetime) -> View:
    """The newest trade, book and minute of a symbol, as numbers."""
    price = float(asset.price)
    bar = {"t": stamp(now.replace(second=0, microsecond=0)), "o": price, "h": price, "l": price,
           "c": price, "v": 1000, "n": 10, "vw": price}  # fmt: skip
    return {
        "latestTrade": {"t": stamp(now), "p": price, "s": 10, "x": "V", "i": 1, "z": "C",
                        "c": ["@"]},
        "latestQuote": {"t": stamp(now), "bp": float(asset.bid), "bs": 1, "bx": "V",
                        "ap": float(asset.ask), "as": 1, "ax": "V", "c": ["R"], "z": "C"},
        "minuteBar": bar, "dailyBar": bar, "prevDailyBar": bar,
    }  # fmt: skip


def trade_update(event: str, order: Order, trade: Trade | None, now: datetime) -> View:
    """A frame of the trading stream; its executions are numbered otherwise than the activities."""
    data: View = {"event": event, "timestamp": stamp(now), "order": order_view(order)}
    if trade is not None:
        data |= {"price": money(trade.price), "qty": money(trade.quantity),
                 "position_qty": money(trade.cumulative),
                 "execution_id": f"stream-{trade.id.partition('::')[2]}"}  # fmt: skip
    return {"stream": "trade_updates", "data": data}
