"""What an account at an exchange can do, from ccxt's description of it."""

from decimal import Decimal, InvalidOperation

from engine.adapters.brokers.ccxt_unified.client import UnifiedClient
from engine.domain.money import plain
from engine.domain.orders import OrderType, TimeInForce
from engine.errors import ConfigError
from engine.ports import BrokerCapabilities

USUAL_FEE_BPS = Decimal(20)
NEEDED = {
    "fetchBalance": "balances",
    "createOrder": "new orders",
    "cancelOrder": "cancelling orders",
    "fetchOpenOrders": "lists of open orders",
    "fetchMyTrades": "lists of the account's trades",
    "fetchTicker": "prices",
    "fetchOHLCV": "candles",
}
DONE = ("fetchOrder", "fetchOrders", "fetchClosedOrders", "fetchCanceledAndClosedOrders")
TIMES = {"IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK}


def capabilities_of(
    client: UnifiedClient, *, quiet_period_s: float, poll_every_s: float
) -> BrokerCapabilities:
    """Order types and times in force that ccxt says it can do there. Raises ConfigError for an
    exchange that lacks what every account needs."""
    missing = [words for feature, words in NEEDED.items() if not client.has(feature)]
    if not any(client.has(feature) for feature in DONE):
        missing.append("orders that are done")
    if missing:
        raise ConfigError(
            f"Through ccxt {client.name} has no {', no '.join(missing)}. Choose another exchange; "
            "bots on paper may use its prices all the same, if it has any.",
            field="exchange",
        )
    types = {OrderType.LIMIT}
    if client.exchange.has.get("createMarketOrder") is not False:
        types.add(OrderType.MARKET)
    stops = _stops(client)
    lasting = client.feature("createOrder", "timeInForce") or {}
    return BrokerCapabilities(
        fee_bps=_fee_bps(client),
        quiet_period_s=quiet_period_s,
        poll_every_s=poll_every_s,
        order_types=frozenset(types | stops),
        times_in_force=frozenset(
            {TimeInForce.GTC, *(time for name, time in TIMES.items() if lasting.get(name))}
        ),
        rests_protection=bool(stops),
    )


def _stops(client: UnifiedClient) -> set[OrderType]:
    """Stops, where they are orders like all others. Exchanges that keep them apart make another
    order of one that is reached, and do not tell of which: there the engine watches them."""
    has_stops = any(
        client.feature("createOrder", name) for name in ("stopLossPrice", "triggerPrice")
    )
    is_apart = client.feature("fetchOpenOrders", "trigger")
    return {OrderType.STOP, OrderType.STOP_LIMIT} if has_stops and not is_apart else set()


def _fee_bps(client: UnifiedClient) -> Decimal:
    """What a taker pays on the lowest step of the exchange's list."""
    told = (client.exchange.fees.get("trading") or {}).get("taker")
    try:
        return plain(Decimal(str(told)) * 10_000)
    except InvalidOperation:  # no number, or none at all
        return USUAL_FEE_BPS
