"""Both sides of one account compared: the books' and the venue's. Pure; what differs is a finding.

The books must explain every amount the venue holds. What only one side knows is told apart by what
explains it: a trade or an order of nobody's, a fill of an order that was given up, an order whose
fate is not known; what nothing explains is a balance that differs.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.accounts import (
    HOUSE,
    Finding,
    FindingKind,
    add_up,
    fill_effect,
)
from engine.domain.instruments import Instrument
from engine.domain.money import ZERO, text
from engine.domain.orders import Execution, Order, OrderReport, OrderState, Side

UNDER_WAY = frozenset({OrderState.SENDING, OrderState.UNKNOWN})
"""States in which an order may have moved amounts that the books do not know yet."""

LASTING = frozenset({FindingKind.FOREIGN_TRADE, FindingKind.LATE_FILL})
"""Findings about something that happened: it does not go away by itself."""


class Holding(BaseModel):
    """What one bot owns of a base asset; negative when it is sold short."""

    model_config = ConfigDict(frozen=True)

    bot_id: str
    symbol: str
    base: str
    quantity: Decimal


class LateFill(BaseModel):
    """An execution of one of our orders that the books had given up."""

    model_config = ConfigDict(frozen=True)

    order: Order
    execution: Execution


class BooksSide(BaseModel):
    """What the books say of an account. ``orders`` are those at work, nobody's too."""

    model_config = ConfigDict(frozen=True)

    account_id: str
    totals: Mapping[str, Decimal]
    holdings: Sequence[Holding] = ()
    orders: Sequence[Order] = ()


class VenueSide(BaseModel):
    """What the venue says. ``trades`` are the executions that are nobody's and not booked yet."""

    model_config = ConfigDict(frozen=True)

    totals: Mapping[str, Decimal]
    open_orders: Sequence[OrderReport] = ()
    trades: Sequence[Execution] = ()
    late_fills: Sequence[LateFill] = ()


class Terms(BaseModel):
    """What a comparison needs to know beside the two sides.

    ``unsettled``: assets that are not judged now. ``instruments`` by symbol, of all trades.
    """

    model_config = ConfigDict(frozen=True)

    now: datetime
    quiet_period: timedelta = timedelta(0)
    instruments: Mapping[str, Instrument] = Field(default_factory=dict)
    unsettled: frozenset[str] = frozenset()


def finding_id(account_id: str, kind: FindingKind, subject: str) -> str:
    """The same difference always has the same id."""
    return f"{account_id}:{kind.value}:{subject}"


def trade_key(trade: Execution) -> str:
    """What the trades of one foreign order have in common."""
    of_symbol = f"{trade.symbol}:{trade.venue_id}"  # a venue may count orders by symbol
    return trade.client_id or (of_symbol if trade.venue_id else trade.trade_id)


def effect_of(trade: Execution, instrument: Instrument) -> dict[str, Decimal]:
    """What an execution moved, by asset."""
    return fill_effect(trade.side, instrument.base, instrument.quote, trade.price, trade.quantity,
                       trade.fee, trade.fee_asset)  # fmt: skip


def under_way(orders: Iterable[Order], instruments: Mapping[str, Instrument]) -> frozenset[str]:
    """The assets that orders under way may have moved already."""
    moving = {order.symbol for order in orders if order.state in UNDER_WAY}
    known = [instruments[symbol] for symbol in moving if symbol in instruments]
    return frozenset(asset for one in known for asset in (one.base, one.quote))


def differences(books: Mapping[str, Decimal], venue: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Venue less books of each asset that differs, in order of the asset."""
    assets = sorted(set(books) | set(venue))
    gaps = {asset: venue.get(asset, ZERO) - books.get(asset, ZERO) for asset in assets}
    return {asset: gap for asset, gap in gaps.items() if gap}


def owned(holdings: Iterable[Holding]) -> dict[str, Decimal]:
    """What all bots together own of each base asset, shorts taken off."""
    return add_up({one.base: one.quantity} for one in holdings)


def compare(books: BooksSide, venue: VenueSide, terms: Terms) -> list[Finding]:
    """Every difference once, in order of its id, whatever the order of the inputs."""
    found = [
        *_balances(books, venue, terms),
        *_shortfalls(books, venue, terms),
        *_foreign_orders(books, venue, terms),
        *_foreign_trades(books, venue, terms),
        *_unknown_orders(books, terms),
        *_late_fills(books, venue, terms),
    ]
    return sorted(found, key=lambda finding: finding.id)


def _finding(
    account_id: str, terms: Terms, kind: FindingKind, subject: str, detail: str, **more: object
) -> Finding:
    fields = {
        "id": finding_id(account_id, kind, subject), "account_id": account_id, "kind": kind,
        "subject": subject, "detail": detail, "first_seen": terms.now, "last_seen": terms.now,
    }  # fmt: skip
    return Finding.model_validate(fields | more)


def _balances(books: BooksSide, venue: VenueSide, terms: Terms) -> list[Finding]:
    traded = add_up(effect_of(one, terms.instruments[one.symbol]) for one in venue.trades)
    expected = add_up([books.totals, traded])
    return [
        _finding(
            books.account_id, terms, FindingKind.BALANCE, asset,
            f"The venue holds {text(venue.totals.get(asset, ZERO))} {asset}, the books say "
            f"{text(expected.get(asset, ZERO))}",
            books=text(expected.get(asset, ZERO)),
            venue=text(venue.totals.get(asset, ZERO)),
            amount=gap,
        )
        for asset, gap in differences(expected, venue.totals).items()
        if asset not in terms.unsettled
    ]  # fmt: skip


def _shortfalls(books: BooksSide, venue: VenueSide, terms: Terms) -> list[Finding]:
    found = []
    for asset, quantity in owned(books.holdings).items():
        held = venue.totals.get(asset, ZERO)
        if asset in terms.unsettled or quantity <= max(held, ZERO):
            continue
        mine = [one for one in books.holdings if one.base == asset]
        owners = {one.bot_id for one in mine}
        found.append(
            _finding(
                books.account_id, terms, FindingKind.SHORTFALL, asset,
                f"Bots own {text(quantity)} {asset}, the venue holds {text(held)}",
                symbol=mine[0].symbol if len({one.symbol for one in mine}) == 1 else "",
                bot_id=owners.pop() if len(owners) == 1 else HOUSE,
                books=text(quantity), venue=text(held), amount=held - quantity,
            )
        )  # fmt: skip
    return found


def _foreign_orders(books: BooksSide, venue: VenueSide, terms: Terms) -> list[Finding]:
    known = {one.client_id for one in books.orders if one.state is not OrderState.EXTERNAL}
    return [
        _finding(
            books.account_id, terms, FindingKind.FOREIGN_ORDER, order_key(report),
            f"An order to {report.side.value} {text(report.quantity)} {report.symbol}"
            f"{_at(report)} works at the venue and is nobody's",
            symbol=report.symbol,
            venue=f"{report.type.value} {report.side.value} {text(report.quantity)}{_at(report)}",
            amount=_signed(report.side, report.quantity - report.filled),
            is_blocking=False,
        )
        for report in venue.open_orders
        if report.client_id not in known
    ]  # fmt: skip


def order_key(report: OrderReport) -> str:
    """What an order is known by: its client id, or the venue's where there is none."""
    return report.client_id or report.venue_id


def _foreign_trades(books: BooksSide, venue: VenueSide, terms: Terms) -> list[Finding]:
    groups: dict[str, list[Execution]] = {}
    for trade in venue.trades:
        groups.setdefault(trade_key(trade), []).append(trade)
    found = []
    for key, trades in groups.items():
        first = min(trades, key=lambda one: (one.time, one.trade_id))
        instrument = terms.instruments[first.symbol]
        quantity = sum((one.quantity for one in trades), ZERO)
        value = sum((one.quantity * one.price for one in trades), ZERO)
        verb = "bought" if first.side is Side.BUY else "sold"
        found.append(
            _finding(
                books.account_id, terms, FindingKind.FOREIGN_TRADE, key,
                f"Somebody {verb} {text(quantity)} {instrument.base} for {text(value)} "
                f"{instrument.quote} on the account",
                symbol=first.symbol,
                venue=f"{first.side.value} {text(quantity)} for {text(value)}",
                amount=_signed(first.side, quantity),
            )
        )  # fmt: skip
    return found


def _unknown_orders(books: BooksSide, terms: Terms) -> list[Finding]:
    return [
        _finding(
            books.account_id, terms, FindingKind.UNKNOWN_ORDER, order.client_id,
            f"What became of the order to {order.side.value} {order.symbol} has not been known "
            f"since {order.sent_at or order.updated_at:%Y-%m-%d %H:%M:%S} UTC",
            symbol=order.symbol, bot_id=order.bot_id, books=order.state.value,
        )
        for order in books.orders
        if order.state in UNDER_WAY
        and terms.now - (order.sent_at or order.updated_at) > terms.quiet_period
    ]  # fmt: skip


def _late_fills(books: BooksSide, venue: VenueSide, terms: Terms) -> list[Finding]:
    groups: dict[str, list[LateFill]] = {}
    for late in venue.late_fills:
        groups.setdefault(late.order.client_id, []).append(late)
    found = []
    for client_id, fills in groups.items():
        order = fills[0].order
        quantity = sum((one.execution.quantity for one in fills), ZERO)
        found.append(
            _finding(
                books.account_id, terms, FindingKind.LATE_FILL, client_id,
                f"The order to {order.side.value} {order.symbol} was {order.state.value} in the "
                f"books and filled {text(quantity)} all the same; it is booked now",
                symbol=order.symbol, bot_id=order.bot_id, books=order.state.value,
                venue=f"filled {text(quantity)}", amount=_signed(order.side, quantity),
                is_blocking=False,
            )
        )  # fmt: skip
    return found


def _at(report: OrderReport) -> str:
    price = report.price or report.stop_price
    return f" at {text(price)}" if price is not None else ""


def _signed(side: Side, quantity: Decimal) -> Decimal:
    return quantity if side is Side.BUY else -quantity
