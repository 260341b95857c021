"""Orders for Expert Advisors: what one is offered, and what its reports make of it."""

from datetime import datetime
from decimal import Decimal

from engine.domain.mailbox import CANCEL_MARK, BoxOrder, ExecutionReport
from engine.domain.orders import OrderType
from engine.domain.pushed import Sender
from engine.domain.signals import SignalKind, SignalState
from engine.errors import NotFound
from engine.ports import Clock, Store, Transaction
from engine.services.take_prices import Envelope, Kept, hear, keep_signal
from engine.services.terminals import TerminalBooks

MOST_OFFERED = 200
"""Orders in one answer, the oldest first."""

Offer = dict[str, str | Decimal | int | None]


class AdvisorOrders:
    """What an advisor asks for and tells; thread-safe."""

    def __init__(self, store: Store, terminals: TerminalBooks, clock: Clock) -> None:
        self._store = store
        self._terminals = terminals
        self._clock = clock

    def offers(self, account: str, magic: str) -> list[Offer]:
        """What the advisor of an account with a magic number is to do now.

        That it was given out is committed first: from then on it may have been executed. An order
        is offered until a report has said that it is over, so that its fills are told too.
        """
        now = self._clock.now()
        with self._store.transaction() as tx:
            terminal = hear(tx, Sender(account=account), now)
            asked = {"polled_at": now, "magic": magic, "received": terminal.received - 1}
            tx.terminals.save(terminal.model_copy(update=asked))
            found = tx.box_orders.select(account=account, magic=magic, end="")
            live = [order for order in (self._offered(tx, each, now) for each in found)
                    if order.is_open][:MOST_OFFERED]  # fmt: skip
        return [offer for order in live for offer in _offers_of(order)]

    def _offered(self, tx: Transaction, order: BoxOrder, now: datetime) -> BoxOrder:
        changed = order.aged(now)
        if changed.is_open and changed.offered_at is None:
            changed = changed.model_copy(update={"offered_at": now})
        if changed != order:
            tx.box_orders.save(changed)
        return changed

    def take_report(self, report: ExecutionReport, envelope: Envelope) -> Kept:
        """Book what an advisor says of an order, once, in whatever order reports come. Raises
        NotFound for an order that is not this account's; the report is kept all the same."""
        now = self._clock.now()
        order_id = report.id.removesuffix(CANCEL_MARK)
        with self._store.transaction() as tx:
            order = tx.box_orders.find(order_id)
            is_known = order is not None and order.account == report.sender.account
            kept = keep_signal(
                tx, report.sender, SignalKind.EXECUTION, envelope, now, sent_at=report.sent_at,
                identity=_said(report),
                outcome=f"{report.status} {order_id}" if is_known else f"no order '{order_id}'",
                state=SignalState.ACTED if is_known else SignalState.REFUSED,
            )  # fmt: skip
            hear(tx, report.sender, now)
            if order is not None and is_known:
                changed = order.told(report, now)
                if changed != order:
                    tx.box_orders.save(changed)
        if not is_known:
            raise NotFound(
                f"There is no order '{order_id}' for account {report.sender.account}.", field="id"
            )
        self._terminals.announce()
        return kept


def _said(report: ExecutionReport) -> str:
    """A report without its time: a resting order is reported again and again."""
    return report.model_dump_json(exclude={"sender", "sent_at"})


def _offers_of(order: BoxOrder) -> list[Offer]:
    offers = [_offer(order, order.id, order.type.value)]
    if order.is_cancel_wanted:
        offers.append(_offer(order, f"{order.id}{CANCEL_MARK}", "cancel"))
    return offers


def _offer(order: BoxOrder, offer_id: str, kind: str) -> Offer:
    needs_price = order.type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    return {
        "id": offer_id,
        "comment": order.comment,
        "symbol": order.symbol,
        "side": order.side.value,
        "type": kind,
        "lots": order.lots,
        "price": order.price if needs_price else None,
        "stop_price": order.stop_price,
        "stop_loss": Decimal(0),
        "take_profit": Decimal(0),
        "position": int(order.position or 0),
        "reduces": int(order.reduces),
        "valid_until": int(order.valid_until.timestamp()) if order.valid_until else 0,
    }
