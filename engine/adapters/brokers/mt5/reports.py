"""What MetaTrader tells of orders and deals, as reports, fills and flows. Raises Unreadable."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from engine.adapters.brokers.mt5 import codes
from engine.adapters.brokers.mt5.reading import (
    Row,
    Unreadable,
    amount,
    epoch_ms,
    positive,
    remark,
    whole,
    words,
)
from engine.adapters.brokers.mt5.symbols import Listing
from engine.adapters.brokers.mt5.tags import FOREIGN, client_id_of, read_tag
from engine.domain.accounts import Flow, LineKind
from engine.domain.money import ZERO
from engine.domain.orders import (
    TERMINAL,
    Execution,
    OrderReport,
    OrderState,
    OrderType,
    Side,
    VenueFill,
)

SIDES = {codes.BUY: Side.BUY, codes.SELL: Side.SELL}
FLOWS = {
    2: LineKind.DEPOSIT,  # balance
    3: LineKind.ADJUSTMENT,  # credit
    4: LineKind.ADJUSTMENT,  # charge
    5: LineKind.ADJUSTMENT,  # correction
    6: LineKind.ADJUSTMENT,  # bonus
    7: LineKind.ADJUSTMENT,  # commissions
    8: LineKind.ADJUSTMENT,
    9: LineKind.ADJUSTMENT,
    10: LineKind.ADJUSTMENT,
    11: LineKind.ADJUSTMENT,
    12: LineKind.INTEREST,
    15: LineKind.FUNDING,  # dividends, and what short positions pay of them
    16: LineKind.FUNDING,
    17: LineKind.ADJUSTMENT,  # tax
}
AMOUNT = "profit"  # where a deal that is no trade has its amount


@dataclass(frozen=True)
class Reader:
    """Reads an account's rows: what marks our orders, its currency, and its server's time."""

    magic: int
    currency: str
    to_utc: Callable[[int], datetime]

    def client_id(self, source: Row) -> str:
        """Ours by its comment; of anybody else's orders by the ticket."""
        tag = read_tag(remark(source, "comment")).name
        if tag and whole(source, "magic") == self.magic:
            return client_id_of(tag)
        return f"{FOREIGN}{whole(source, 'ticket')}"

    def report(self, parts: Sequence[Row], fills: Sequence[VenueFill], listed: Listing,
               client_id: str) -> OrderReport:  # fmt: skip
        """An order of one or several of MetaTrader's, newest last."""
        first = parts[0]
        quantity = sum((listed.units(positive(part, "volume_initial")) for part in parts), ZERO)
        told = quantity - sum(
            (listed.units(amount(part, "volume_current")) for part in parts), ZERO
        )
        filled = sum((fill.quantity for fill in fills), ZERO)
        if not told <= filled <= quantity:
            raise Unreadable(f"{filled} of {quantity} in deals, {told} executed")
        kind, side = kind_of(first)
        return OrderReport(
            client_id=client_id,
            venue_id=str(whole(first, "ticket")),
            symbol=words(first, "symbol"),
            side=side,
            state=_state(parts, filled, quantity, kind),
            quantity=quantity,
            filled=filled,
            fills=tuple(fills),
            reason=_reason(parts),
            type=kind,
            created_at=self.to_utc(epoch_ms(first, "time_setup_msc")),
            **_prices(first, kind, listed),
        )

    def fill(self, deal: Row, listed: Listing) -> VenueFill:
        """A deal of an order."""
        fee = -amount(deal, "commission") - amount(deal, "fee")
        return VenueFill(
            trade_id=str(whole(deal, "ticket")),
            price=positive(deal, "price", listed.digits + 3),
            quantity=listed.units(positive(deal, "volume")),
            fee=fee + ZERO,  # no negative zero
            fee_asset=self.currency,
            time=self.to_utc(epoch_ms(deal, "time_msc")),
        )

    def execution(self, deal: Row, listed: Listing) -> Execution:
        """A deal in the account's list."""
        ours = whole(deal, "magic") == self.magic
        return Execution(
            **self.fill(deal, listed).model_dump(),
            symbol=words(deal, "symbol"),
            side=side_of(deal),
            venue_id=str(whole(deal, "order")),
            client_id=client_id_of(read_tag(remark(deal, "comment")).name) if ours else "",
        )

    def flows(self, deal: Row) -> list[Flow]:
        """What a deal moved without a trade: a deposit, a dividend; or the swap of a position."""
        number, ticket = whole(deal, "type"), whole(deal, "ticket")
        time = self.to_utc(epoch_ms(deal, "time_msc"))
        if is_trade(deal):
            swap = amount(deal, "swap")
            return [
                Flow(
                    id=f"swap-{ticket}", asset=self.currency, amount=swap,
                    kind=LineKind.INTEREST, symbol=words(deal, "symbol"), time=time,
                )
            ] if swap else []  # fmt: skip
        kind = FLOWS.get(number, LineKind.ADJUSTMENT)
        came = amount(deal, AMOUNT)
        if kind is LineKind.DEPOSIT and came < 0:
            kind = LineKind.WITHDRAWAL
        flow = Flow(
            id=str(ticket), asset=self.currency, amount=came, kind=kind,
            symbol=remark(deal, "symbol"), time=time,
        )  # fmt: skip
        return [flow] if came else []


def is_trade(deal: Row) -> bool:
    """Whether a deal bought or sold something."""
    return whole(deal, "type") in SIDES


def side_of(source: Row) -> Side:
    """Which way a deal traded, or a position stands."""
    side = SIDES.get(whole(source, "type"))
    if side is None:
        raise Unreadable(f"the type {source.get('type')} is neither to buy nor to sell")
    return side


def state_of(source: Row) -> OrderState:
    """Where one of MetaTrader's orders stands."""
    state = codes.STATES.get(whole(source, "state"))
    if state is None:
        raise Unreadable(f"the state {source.get('state')} is not documented")
    return state


def kind_of(source: Row) -> tuple[OrderType, Side]:
    """The type of an order, and which way it trades."""
    number = whole(source, "type")
    if number == codes.CLOSE_BY:  # a person closed one position by another
        return OrderType.MARKET, Side.SELL
    if number not in codes.KINDS:
        raise Unreadable(f"the type {number} is not documented")
    return codes.KINDS[number]


def _state(parts: Sequence[Row], filled: Decimal, quantity: Decimal, kind: OrderType) -> OrderState:
    """Where the parts stand together. One that was never sent has left nothing to find: what the
    others did is all that became of the order."""
    states = [state_of(part) for part in parts]
    if any(state not in TERMINAL for state in states):
        return OrderState.PARTLY_FILLED if filled else OrderState.OPEN
    if filled == quantity:
        announced = read_tag(remark(parts[0], "comment")).parts
        return OrderState.FILLED if len(parts) == announced else OrderState.EXPIRED
    ended = [state for state in states if state is not OrderState.FILLED]
    if not ended:
        raise Unreadable(f"filled, but {filled} of {quantity} executed")
    # What was not on offer at once, a market order does not get.
    return OrderState.EXPIRED if kind is OrderType.MARKET and filled else ended[0]


def _reason(parts: Sequence[Row]) -> str:
    ended = {state_of(part) for part in parts} & (TERMINAL - {OrderState.FILLED})
    return ", ".join(sorted(state.value for state in ended))


def _prices(source: Row, kind: OrderType, listed: Listing) -> dict[str, Decimal | None]:
    if kind is OrderType.MARKET:
        return {}
    at = positive(source, "price_open", listed.digits)
    if kind is OrderType.LIMIT:
        return {"price": at}
    limit = amount(source, "price_stoplimit", listed.digits) or None
    return {"stop_price": at, "price": limit if kind is OrderType.STOP_LIMIT else None}
