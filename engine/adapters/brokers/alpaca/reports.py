"""Orders, trades and amounts of an account, from Alpaca's answers to the engine's records."""

from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_UP, Decimal
from typing import Any

from engine.adapters.brokers.alpaca import reading as read
from engine.adapters.brokers.alpaca.orders import AT_ONCE, Pair
from engine.adapters.brokers.alpaca.reading import Row, Unreadable
from engine.domain.accounts import Flow, LineKind
from engine.domain.instruments import Instrument, InstrumentKind
from engine.domain.money import ZERO, plain
from engine.domain.orders import Execution, OrderReport, OrderState, Side, VenueFill
from engine.domain.sizing import BPS
from engine.ports import Balance

CASH = "USD"
FINEST = Decimal("1e-9")
CLASSES = {InstrumentKind.STOCK: "us_equity", InstrumentKind.CRYPTO: "crypto"}
ENDED = frozenset({OrderState.CANCELLED, OrderState.EXPIRED, OrderState.REJECTED})
NO_FLOW = frozenset({"FILL", "CFEE"})
"""Activities that come with the trades: a trade itself, and the fee of crypto that the fills of it
carry already."""

KINDS: dict[str, LineKind] = {
    "CSD": LineKind.DEPOSIT, "CSW": LineKind.WITHDRAWAL,
    "INT": LineKind.INTEREST, "DIV": LineKind.INTEREST,
}  # fmt: skip
"""By the first letters; everything else that moves cash is an adjustment."""


def cash_of(answer: Any) -> Balance:
    """The account's cash. Without a loan, what is not free is set aside for orders, or on its way.
    Raises Unreadable."""
    account = read.row(answer)
    cash = read.signed(account, "cash")
    usable = max(read.signed(account, "non_marginable_buying_power"), ZERO)
    free = cash if cash < 0 else min(cash, usable)
    return Balance(asset=CASH, free=free, locked=cash - free)


def held(answer: Any, kind: InstrumentKind, base_of: Callable[[str], str]) -> dict[str, Balance]:
    """Positions of one kind by base asset. Raises Unreadable."""
    found = {}
    for line in read.rows(answer):
        if line.get("asset_class") != CLASSES[kind]:
            continue
        base = base_of(read.words(line, "symbol"))
        quantity = read.signed(line, "qty")
        free = read.signed(line, "qty_available")
        if not abs(free) <= abs(quantity):
            raise Unreadable(f"{free} of {quantity} {base} are free")
        found[base] = Balance(asset=base, free=free, locked=quantity - free)
    return found


def execution(
    line: Row, instrument: Instrument, fee_bps: Decimal, client_id: str = ""
) -> Execution:
    """A FILL activity. Raises Unreadable.

    Alpaca tells no fee with a trade: stocks have none, and that of crypto is taken from what is
    received, at the account's rate.
    """
    side = read.one_of(line, "side", read.SIDES)
    price, quantity = read.positive(line, "price"), read.positive(line, "qty")
    received = quantity if side is Side.BUY else price * quantity
    is_free = instrument.kind is InstrumentKind.STOCK or not fee_bps
    fee = ZERO if is_free else (received * fee_bps / BPS).quantize(FINEST, ROUND_UP)
    return Execution(
        trade_id=read.words(line, "id"),
        price=price,
        quantity=quantity,
        fee=plain(fee),
        fee_asset=instrument.quote if is_free or side is Side.SELL else instrument.base,
        time=read.moment(line, "transaction_time"),
        symbol=instrument.symbol,
        side=side,
        venue_id=read.words(line, "order_id"),
        client_id=client_id,
    )


def flow(line: Row) -> Flow | None:
    """An activity that moved cash without a trade; None for any other. Raises Unreadable."""
    kind = read.words(line, "activity_type")
    is_void = line.get("status") in ("canceled", "pending")
    if kind in NO_FLOW or is_void or line.get("net_amount") is None:
        return None
    moved = read.signed(line, "net_amount")
    if not moved:
        return None
    symbol = line.get("symbol")
    return Flow(
        id=read.words(line, "id"),
        asset=CASH,
        amount=moved,
        kind=KINDS.get(kind[:3], LineKind.ADJUSTMENT),
        symbol=symbol if isinstance(symbol, str) else "",
        time=read.day(line, "date"),
    )


def report(
    order: Row, symbol: str, fills: Sequence[VenueFill], client_id: str | None = None
) -> OrderReport:
    """An order with all its fills. Raises Unreadable when they are not what was executed.

    The list of trades can be behind the order, and an order can trade between the two questions:
    then the fills know more. ``client_id`` is the id it is known under, where that is not the one
    that Alpaca has.
    """
    quantity, told = _ordered(order), read.amount(order, "filled_qty")
    filled = read.total([fill.quantity for fill in fills])
    if not told <= filled <= quantity:
        raise Unreadable(f"{told} executed, {filled} of {quantity} in the list of trades")
    state = _state(order, filled, quantity)
    status = read.words(order, "status")
    return OrderReport(
        client_id=client_id or read.words(order, "client_order_id"),
        venue_id=read.words(order, "id"),
        symbol=symbol,
        side=read.one_of(order, "side", read.SIDES),
        state=state,
        quantity=quantity,
        filled=filled,
        fills=tuple(fills),
        reason=status.replace("_", " ") if state in ENDED else "",
        type=read.one_of(order, "type", read.TYPES),
        price=read.maybe(order, "limit_price"),
        stop_price=read.maybe(order, "stop_price"),
        created_at=read.taken_at(order),
    )


def told_in_pair(orders: Sequence[Row]) -> Mapping[str, Row]:
    """By client id of ours, each order of the pairs among ``orders``, which are told with their
    legs. Raises Unreadable."""
    found: dict[str, Row] = {}
    for order in orders:
        ids = Pair.parted(read.words(order, "client_order_id"))
        if ids is None:
            continue
        found[ids.limit_id] = order
        for leg in legs_of(order):
            found[ids.stop_id] = leg
    return found


def legs_of(order: Row) -> Sequence[Row]:
    """The orders that hang on one. Raises Unreadable."""
    return read.rows(order.get("legs") or [])


def _ordered(order: Row) -> Decimal:
    """The quantity; of an order for an amount of cash, what it has got so far."""
    if order.get("qty") is None and order.get("notional") is not None:
        return read.amount(order, "filled_qty")
    return read.positive(order, "qty")


def _state(order: Row, filled: Decimal, quantity: Decimal) -> OrderState:
    state = read.one_of(order, "status", read.STATES)
    if order.get("qty") is None:
        return state
    if filled and filled == quantity:
        return OrderState.FILLED
    if state is OrderState.FILLED:
        raise Unreadable(f"filled, but {filled} of {quantity} executed")
    if filled and state is OrderState.OPEN:
        return OrderState.PARTLY_FILLED
    is_at_once = order.get("time_in_force") in AT_ONCE
    return OrderState.EXPIRED if is_at_once and state is OrderState.CANCELLED else state
