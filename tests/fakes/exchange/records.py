"""What the exchange keeps: symbols with their filters, orders, trades, balances. All readable."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)
EIGHT = Decimal("1e-8")
DONE = frozenset({"FILLED", "CANCELED", "REJECTED", "EXPIRED"})
ORDER_TYPES = (
    "LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT",
    "TAKE_PROFIT_LIMIT",
)  # fmt: skip
CONTINGENT = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
PRICED = frozenset({"LIMIT", "LIMIT_MAKER", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"})


class Refused(Exception):
    """An answer with an error code, as the service documents it."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.status = status


def money(amount: Decimal) -> str:
    """Eight places, as the service writes amounts."""
    return f"{amount:.8f}"


@dataclass
class SymbolRules:
    """A symbol, its filters (changed freely) and its prices.

    ``depth`` is how much base the book gives before the price moves again; None: any amount.
    """

    base: str
    quote: str
    price: Decimal
    tick: Decimal = Decimal("0.01")
    step: Decimal = Decimal("0.00001")
    min_quantity: Decimal = Decimal("0.00001")
    max_quantity: Decimal = Decimal(9000)
    max_market_quantity: Decimal = Decimal(1000)
    min_price: Decimal = Decimal("0.01")
    max_price: Decimal = Decimal(1_000_000)
    min_notional: Decimal = Decimal(5)
    max_notional: Decimal = Decimal(9_000_000)
    up: Decimal = Decimal(5)
    down: Decimal = Decimal("0.2")
    max_orders: int = 200
    max_stops: int = 5
    status: str = "TRADING"
    half_spread: Decimal = ZERO
    depth: Decimal | None = None
    market_fills: int = 1
    next_trade: int = 1
    listed_at: Decimal = ZERO

    def __post_init__(self) -> None:
        self.listed_at = self.listed_at or self.price

    @property
    def name(self) -> str:
        """As in requests: BTCUSDT."""
        return self.base + self.quote

    @property
    def bid(self) -> Decimal:
        """What a market sell gets."""
        return self.price - self.half_spread

    @property
    def ask(self) -> Decimal:
        """What a market buy pays."""
        return self.price + self.half_spread

    def listing(self) -> dict[str, Any]:
        """Its entry in exchangeInfo."""
        return {
            "symbol": self.name, "status": self.status, "baseAsset": self.base,
            "baseAssetPrecision": 8, "quoteAsset": self.quote, "quotePrecision": 8,
            "quoteAssetPrecision": 8, "baseCommissionPrecision": 8,
            "quoteCommissionPrecision": 8, "orderTypes": list(ORDER_TYPES),
            "icebergAllowed": True, "ocoAllowed": True, "otoAllowed": True,
            "quoteOrderQtyMarketAllowed": True, "allowTrailingStop": True,
            "cancelReplaceAllowed": True, "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False, "filters": self._filters(),
            "permissions": [], "permissionSets": [["SPOT"]],
            "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
            "allowedSelfTradePreventionModes": ["EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH"],
        }  # fmt: skip

    def _filters(self) -> list[dict[str, Any]]:
        return [
            {"filterType": "PRICE_FILTER", "minPrice": money(self.min_price),
             "maxPrice": money(self.max_price), "tickSize": money(self.tick)},
            {"filterType": "LOT_SIZE", "minQty": money(self.min_quantity),
             "maxQty": money(self.max_quantity), "stepSize": money(self.step)},
            {"filterType": "ICEBERG_PARTS", "limit": 10},
            {"filterType": "MARKET_LOT_SIZE", "minQty": money(ZERO),
             "maxQty": money(self.max_market_quantity), "stepSize": money(ZERO)},
            {"filterType": "TRAILING_DELTA", "minTrailingAboveDelta": 10,
             "maxTrailingAboveDelta": 2000, "minTrailingBelowDelta": 10,
             "maxTrailingBelowDelta": 2000},
            {"filterType": "PERCENT_PRICE_BY_SIDE", "bidMultiplierUp": str(self.up),
             "bidMultiplierDown": str(self.down), "askMultiplierUp": str(self.up),
             "askMultiplierDown": str(self.down), "avgPriceMins": 5},
            {"filterType": "NOTIONAL", "minNotional": money(self.min_notional),
             "applyMinToMarket": True, "maxNotional": money(self.max_notional),
             "applyMaxToMarket": False, "avgPriceMins": 5},
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": self.max_orders},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": self.max_stops},
        ]  # fmt: skip


@dataclass
class Holding:
    """What the account has of one asset."""

    free: Decimal = ZERO
    locked: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        """Both together."""
        return self.free + self.locked


@dataclass
class Lock:
    """An amount set aside for an order, or for both legs of a list: ``unit`` for each base."""

    asset: str
    amount: Decimal
    unit: Decimal


@dataclass
class Order:
    """An order; ``is_hidden`` keeps it out of every answer for a while, as the service can."""

    id: int
    symbol: str
    client_id: str
    side: str
    type: str
    quantity: Decimal
    price: Decimal
    stop_price: Decimal
    time_in_force: str
    trailing_delta: int
    time: int
    lock: Lock
    list_id: int = -1
    status: str = "NEW"
    executed: Decimal = ZERO
    paid: Decimal = ZERO
    updated: int = 0
    is_working: bool = True
    is_hidden: bool = False
    best: Decimal = ZERO  # the price that a trailing stop has followed to
    cancelled_by: str = ""

    @property
    def is_buy(self) -> bool:
        """The side."""
        return self.side == "BUY"

    @property
    def is_open(self) -> bool:
        """Whether it can still trade."""
        return self.status not in DONE

    @property
    def left(self) -> Decimal:
        """What is not executed."""
        return self.quantity - self.executed

    @property
    def trigger(self) -> Decimal:
        """Where a stop goes off now; a trailing one follows the best price."""
        if not self.trailing_delta:
            return self.stop_price
        share = Decimal(self.trailing_delta) / 10_000
        return self.best * (1 + share if self.is_buy else 1 - share)

    def view(self) -> dict[str, Any]:
        """As GET /api/v3/order gives it."""
        view = {
            "symbol": self.symbol, "orderId": self.id, "orderListId": self.list_id,
            "clientOrderId": self.client_id, "price": money(self.price),
            "origQty": money(self.quantity), "executedQty": money(self.executed),
            "origQuoteOrderQty": money(ZERO), "cummulativeQuoteQty": money(self.paid),
            "status": self.status, "timeInForce": self.time_in_force, "type": self.type,
            "side": self.side, "stopPrice": money(self.stop_price), "icebergQty": money(ZERO),
            "time": self.time, "updateTime": self.updated or self.time,
            "isWorking": self.is_working, "workingTime": self.time if self.is_working else -1,
            "selfTradePreventionMode": "EXPIRE_MAKER",
        }  # fmt: skip
        if self.trailing_delta:
            view |= {"trailingDelta": self.trailing_delta, "trailingTime": self.time}
        return view


@dataclass
class Trade:
    """One execution; trade ids count up within a symbol."""

    id: int
    symbol: str
    order_id: int
    list_id: int
    side: str
    price: Decimal
    quantity: Decimal
    commission: Decimal
    commission_asset: str
    time: int
    is_maker: bool
    base: str
    quote: str

    def view(self) -> dict[str, Any]:
        """As GET /api/v3/myTrades gives it."""
        return {
            "symbol": self.symbol, "id": self.id, "orderId": self.order_id,
            "orderListId": self.list_id, "price": money(self.price), "qty": money(self.quantity),
            "quoteQty": money(self.price * self.quantity), "commission": money(self.commission),
            "commissionAsset": self.commission_asset, "time": self.time,
            "isBuyer": self.side == "BUY", "isMaker": self.is_maker, "isBestMatch": True,
        }  # fmt: skip

    def fill(self) -> dict[str, Any]:
        """As an entry of ``fills`` in the answer to a new order."""
        return {
            "price": money(self.price), "qty": money(self.quantity),
            "commission": money(self.commission), "commissionAsset": self.commission_asset,
            "tradeId": self.id,
        }  # fmt: skip


@dataclass
class OrderList:
    """Two orders of which one ends the other."""

    id: int
    client_id: str
    symbol: str
    time: int
    legs: list[Order] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        """Whether neither leg can trade any more."""
        return not any(leg.is_open for leg in self.legs)

    def view(self) -> dict[str, Any]:
        """As GET /api/v3/orderList gives it."""
        return {
            "orderListId": self.id, "contingencyType": "OCO",
            "listStatusType": "ALL_DONE" if self.is_done else "EXEC_STARTED",
            "listOrderStatus": "ALL_DONE" if self.is_done else "EXECUTING",
            "listClientOrderId": self.client_id, "transactionTime": self.time,
            "symbol": self.symbol,
            "orders": [
                {"symbol": leg.symbol, "orderId": leg.id, "clientOrderId": leg.client_id}
                for leg in self.legs
            ],
        }  # fmt: skip
