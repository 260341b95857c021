"""Orders of the box as reports, fills and executions."""

from collections.abc import Sequence

from engine.adapters.brokers.mt5 import codes
from engine.domain.mailbox import BoxOrder, Deal, state_of
from engine.domain.money import ZERO, plain
from engine.domain.orders import Execution, OrderReport, VenueFill
from engine.errors import (
    AccessDenied,
    BrokerError,
    BrokerUnavailable,
    InsufficientFunds,
    OrderRejected,
)

INVALID_REQUEST = 10013  # the advisor sends its own objections with it


def report_of(parts: Sequence[BoxOrder], currency: str) -> OrderReport:
    """An order of one or several parts."""
    first = parts[0]
    fills = [fill_of(part, deal, currency) for part in parts for deal in part.deals]
    return OrderReport(
        client_id=first.client_id,
        venue_id=first.order or first.id,
        symbol=first.symbol,
        side=first.side,
        state=state_of(parts),
        quantity=sum((part.units for part in parts), ZERO),
        filled=sum((fill.quantity for fill in fills), ZERO),
        fills=tuple(fills),
        reason=", ".join(sorted({part.reason for part in parts if part.reason})),
        type=first.type,
        price=first.price,
        stop_price=first.stop_price,
        created_at=first.created_at,
    )


def fill_of(part: BoxOrder, deal: Deal, currency: str) -> VenueFill:
    """A deal; what the broker takes is below zero in the terminal, and above in our books."""
    return VenueFill(
        trade_id=deal.ticket,
        price=deal.price,
        quantity=plain(deal.lots * part.contract),
        fee=ZERO - deal.commission,
        fee_asset=currency,
        time=deal.time,
    )


def executions_of(part: BoxOrder, currency: str) -> list[Execution]:
    """An order's deals in the account's list."""
    return [
        Execution(
            **fill_of(part, deal, currency).model_dump(),
            symbol=part.symbol, side=part.side, venue_id=part.order or part.id,
            client_id=part.client_id,
        )
        for deal in part.deals
    ]  # fmt: skip


def refusal_of(part: BoxOrder) -> BrokerError:
    """Why an order was refused, by its return code, else in the terminal's words."""
    verdict, sentence = codes.judge(part.retcode)
    words = part.reason or sentence
    if verdict is codes.Verdict.UNKNOWN or part.retcode == INVALID_REQUEST:
        return OrderRejected(f"MetaTrader refused {part.symbol}: {words}.")
    told = f"MetaTrader refused {part.symbol}: {sentence}."
    if verdict is codes.Verdict.NO_FUNDS:
        return InsufficientFunds(told)
    if verdict is codes.Verdict.DENIED:
        return AccessDenied(told)
    if verdict is codes.Verdict.PAUSE:
        return BrokerUnavailable(told, retry_after_s=codes.PAUSE_S)
    return OrderRejected(told)
