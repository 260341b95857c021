"""Booking what a venue knows of an account and the books do not: openings, flows, what is nobody's.

Everything here happens in the transaction of the check that found it.
"""

from datetime import datetime
from decimal import Decimal

from engine.domain.accounts import HOUSE, AccountLine, Flow, LineKind
from engine.domain.ledger import apply_funding
from engine.domain.money import text
from engine.domain.orders import (
    TERMINAL,
    Execution,
    Order,
    OrderReport,
    OrderState,
    OrderType,
    Purpose,
    Side,
)
from engine.domain.reconcile import BooksSide, differences, order_key, trade_key
from engine.domain.records import Level
from engine.services.booking import Terms, book_house_fill
from engine.services.books import Books, Writing
from engine.services.read_accounts import EXTERNAL, Look


def opening_time(look: Look) -> datetime:
    """The moment an account or asset is first seen; trades up to then are part of what it holds."""
    now = look.market.now()
    return max(now, look.newest or now)


class DifferenceBook:
    """Writes the venue's side of an account into the ledger, once."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def write(self, writing: Writing, look: Look, books: BooksSide) -> set[str]:
        """Book what ``look`` has shown; the assets that were seen for the first time."""
        for key, flow in look.flows.items():
            self._book_flow(writing, look, key, flow)
        opened = self._first_seen(look, books)
        if not look.is_first and not look.unsettled:
            self._follow_cash(writing, look)
        for asset, amount in opened.items():
            self._open(writing, look, asset, amount)
        for trade in look.trades.values():
            self._book_trade(writing, look, trade)
        for report in look.reports:
            self._follow(writing, look, report)
        for order, gone in look.gone:
            self._end(writing, order, gone)
        return set(opened)

    # --- amounts --------------------------------------------------------------------------------

    def _first_seen(self, look: Look, books: BooksSide) -> dict[str, Decimal]:
        """What the books must begin with: of a new account all of it, later only assets that no
        book has ever had, when nothing else is left to explain."""
        if look.unsettled:
            return {}
        gaps = differences(books.totals, look.balances)
        if look.is_first:
            return gaps
        gaps = {asset: gap for asset, gap in gaps.items() if asset not in look.cash_gaps}
        known = self._books.totals.get(look.account_id, {})
        is_all_new = not look.trades and not any(asset in known for asset in gaps)
        return gaps if is_all_new else {}

    def _open(self, writing: Writing, look: Look, asset: str, amount: Decimal) -> None:
        writing.add_line(
            AccountLine(
                id=f"{look.account_id}:{LineKind.OPENING.value}:{asset}",
                account_id=look.account_id, asset=asset, amount=amount, kind=LineKind.OPENING,
                time=opening_time(look),
            )
        )  # fmt: skip
        if not look.is_first:
            writing.event(Level.INFO, "reconcile.opened",
                          f"{look.account_id} holds {text(amount)} {asset}, seen for the first"
                          " time.", account_id=look.account_id)  # fmt: skip

    def _follow_cash(self, writing: Writing, look: Look) -> None:
        """Let the books have the venue's cash, where that is not moved by trades alone."""
        now = self._books.clock.now()
        for asset, amount in look.cash_gaps.items():
            writing.add_line(
                AccountLine(
                    id=f"{look.account_id}:{LineKind.ADJUSTMENT.value}:{asset}:{now.isoformat()}",
                    account_id=look.account_id, asset=asset, amount=amount,
                    kind=LineKind.ADJUSTMENT, note="cash as the venue has it", time=now,
                )
            )  # fmt: skip

    def _book_flow(self, writing: Writing, look: Look, key: str, flow: Flow) -> None:
        """What moved without a trade; funding of what one bot alone holds is that bot's."""
        bot_id = HOUSE
        holders = [one for one in list(self._books.positions.values())
                   if one.account_id == look.account_id and one.symbol == flow.symbol]  # fmt: skip
        instrument = look.instruments.get(flow.symbol)
        is_cost = flow.kind in (LineKind.FUNDING, LineKind.INTEREST)
        is_in_quote = instrument is not None and instrument.quote == flow.asset
        if is_cost and is_in_quote and len(holders) == 1:
            bot_id = holders[0].bot_id
            position = writing.positions.get(bot_id, holders[0])
            writing.put_position(apply_funding(position, flow.amount))
        writing.add_line(
            AccountLine(id=key, account_id=look.account_id, asset=flow.asset, amount=flow.amount,
                        kind=flow.kind, bot_id=bot_id, note=flow.symbol, time=flow.time)
        )  # fmt: skip

    # --- what is nobody's -----------------------------------------------------------------------

    def _book_trade(self, writing: Writing, look: Look, trade: Execution) -> None:
        """An execution of nobody's order: the ledger has it, no bot does."""
        order = self._external(look, trade_key(trade), trade)
        book_house_fill(writing, order, trade.fill, Terms(look.instruments[trade.symbol]))

    def _follow(self, writing: Writing, look: Look, report: OrderReport) -> None:
        """Keep an order of nobody's as the venue shows it."""
        known = writing.tx.orders.find(order_key(report))
        if known is None:
            order = self._external(look, order_key(report), report)
            writing.add_order(
                order.model_copy(
                    update={
                        "type": report.type, "price": report.price, "filled": report.filled,
                        "stop_price": report.stop_price,
                    }
                )
            )  # fmt: skip
        elif known.state is OrderState.EXTERNAL and known.filled != report.filled:
            writing.save_order(known, filled=report.filled)

    def _end(self, writing: Writing, order: Order, report: OrderReport | None) -> None:
        """An order of nobody's that does not work any more."""
        state = report.state if report and report.state in TERMINAL else OrderState.CANCELLED
        filled = report.filled if report else order.filled
        writing.save_order(order, state=state, filled=filled)

    def _external(self, look: Look, key: str, seen: Execution | OrderReport) -> Order:
        now = self._books.clock.now()
        return Order(
            client_id=key, bot_id=HOUSE, account_id=look.account_id, symbol=seen.symbol,
            side=seen.side, type=OrderType.MARKET, state=OrderState.EXTERNAL,
            purpose=Purpose.ENTRY if seen.side is Side.BUY else Purpose.EXIT,
            quantity=seen.quantity, venue_id=seen.venue_id, reason=EXTERNAL,
            decided_at=now, created_at=now, updated_at=now,
        )  # fmt: skip
