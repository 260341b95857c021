"""What must hold of the desk's books after every step, counted beside them from the raw records."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import islice

from engine.domain.accounts import HOUSE
from engine.domain.ledger import open_pnl
from engine.domain.money import ZERO
from engine.domain.orders import TERMINAL, Execution, Order, OrderRequest, Purpose, Side
from engine.domain.positions import Fill, Position, PositionSide
from tests.stateful.desk_room import ACCOUNT, BOT_IDS, PRICES, DeskRoom

OURS = "qd-"


def signed(side: Side, amount: Decimal) -> Decimal:
    """Below zero for a sale."""
    return amount if side is Side.BUY else -amount


def moved(one: Fill | Execution, base: str, quote: str) -> dict[str, Decimal]:
    """What an execution brought of each asset; written out here, not taken from the engine."""
    effect: dict[str, Decimal] = defaultdict(lambda: ZERO)
    effect[base] += signed(one.side, one.quantity)
    effect[quote] -= signed(one.side, one.price * one.quantity)
    effect[one.fee_asset] -= one.fee
    return effect


def add_by_asset(amounts: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """Sums, exact."""
    sums: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for asset, amount in amounts:
        sums[asset] += amount
    return sums


def without_zeros(amounts: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """An asset of which nothing is held is as good as one that was never heard of."""
    return {asset: amount for asset, amount in amounts.items() if amount}


class DeskChecks:
    """Follows the store's and the venue's records as they grow, and compares."""

    def __init__(self, room: DeskRoom) -> None:
        self.room = room
        self.seen: dict[str, Order] = {}
        self._begin()

    def _begin(self) -> None:
        """Nothing is counted yet."""
        self.counted: list[Fill] = []
        self.filled: dict[str, Decimal] = defaultdict(lambda: ZERO)
        self.traded: dict[str, Decimal] = defaultdict(lambda: ZERO)  # by asset
        self.owned: dict[str, Decimal] = defaultdict(lambda: ZERO)  # by position, signed
        self.cash: dict[str, Decimal] = defaultdict(lambda: ZERO)  # by position, fees taken off
        self.third_fees: dict[str, Decimal] = defaultdict(lambda: ZERO)
        self.of_nobody: dict[str, Decimal] = defaultdict(lambda: ZERO)
        self.excess: list[Fill] = []

    def check(self) -> None:
        """Raises AssertionError with what does not hold."""
        self._count_fills()
        self.paid = self._paid()
        self.totals = add_by_asset([*self.paid.items(), *self.traded.items()])
        self.check_orders()
        self.check_mirror()
        self.check_assets()
        self.check_positions()
        self.check_venue()

    def _count_fills(self) -> None:
        """Those that are new; all of them when one has been given to a bot meanwhile."""
        rows = self.room.store.rows("fills").values()
        if any(one is not other for one, other in zip(self.counted, rows, strict=False)):
            self._begin()
        for fill in islice(rows, len(self.counted), None):
            self._count(fill)

    def _count(self, fill: Fill) -> None:
        self.counted.append(fill)
        effect = moved(fill, fill.base, fill.quote)
        for asset, amount in effect.items():
            self.traded[asset] += amount
        self.filled[fill.client_id] += fill.quantity
        if fill.fee_asset not in (fill.base, fill.quote):
            self.third_fees[fill.fee_asset] += fill.fee
        if fill.bot_id == HOUSE:
            self.of_nobody[fill.base] += effect[fill.base]
            order = self.room.store.rows("orders").get(fill.client_id)
            if fill.client_id.startswith(OURS) and order and order.bot_id != HOUSE:
                self.excess.append(fill)
            return
        self.owned[fill.position_id] += effect[fill.base]
        self.cash[fill.position_id] += effect[fill.quote] - fill.fee_value

    def _paid(self) -> dict[str, Decimal]:
        """What came and went without a trade, the opening too."""
        lines = self.room.store.rows("account_lines").values()
        return add_by_asset((one.asset, one.amount) for one in lines)

    def check_orders(self) -> None:
        """Filled is the sum of unique trades, never more than ordered, never less than before; and
        what is done stays done."""
        for client_id, order in self.room.store.rows("orders").items():
            before = self.seen.get(client_id)
            if order is before:
                continue
            self.seen[client_id] = order
            if not client_id.startswith(OURS):
                continue
            assert order.filled == self.filled[client_id], client_id
            assert order.quantity is None or ZERO <= order.filled <= order.quantity, client_id
            if before is not None:
                assert order.filled >= before.filled, client_id
                assert before.state not in TERMINAL or order.state is before.state, client_id

    def check_mirror(self) -> None:
        """What the engine has in memory is what the store has: a replay gives the same."""
        books, rows = self.room.books, self.room.store.rows
        assert books.positions == {
            one.bot_id: one for one in rows("positions").values() if one.is_open
        }
        alive = {key: one for key, one in rows("orders").items() if one.state not in TERMINAL}
        assert alive == {
            key: one for orders in books.working.values() for key, one in orders.items()
        }
        assert books.bots == rows("bots")

    def check_assets(self) -> None:
        """Per asset: opening and booked executions are what the books say is held; with those that
        are not booked yet it is what the venue holds, exactly."""
        books = self.room.books.totals.get(ACCOUNT, {})
        assert without_zeros(books) == without_zeros(self.totals)
        venue = defaultdict(lambda: ZERO, self.totals)
        lines = self.room.store.rows("account_lines")
        for flow in self.room.venue.payments:
            if f"{ACCOUNT}:{flow.id}" not in lines:
                venue[flow.asset] += flow.amount
        booked = self.room.store.rows("fills")
        for trade in self.room.venue.trades:
            if f"{ACCOUNT}:{trade.trade_id}" not in booked:
                base, _, quote = trade.symbol.partition("/")
                for asset, amount in moved(trade, base, quote).items():
                    venue[asset] += amount
        assert without_zeros(venue) == without_zeros(self.room.venue.totals)

    def check_positions(self) -> None:
        """Positions are the sums of their fills, profits too; with what is nobody's they make up
        the account."""
        rows = self.room.store.rows
        of_bots = {symbol.partition("/")[0]: ZERO for symbol in PRICES}
        for position in rows("positions").values():
            sign = 1 if position.side is PositionSide.LONG else -1
            held = sign * (position.quantity + position.dust)
            assert held == self.owned[position.id], position.id
            assert position.quantity >= 0
            assert position.is_open == (position.quantity > 0)
            assert open_pnl(position, ZERO) == self.cash[position.id], position.id
            base = position.symbol.partition("/")[0]
            of_bots[base] += held
            self._check_trade(position)
        for base, amount in of_bots.items():
            unassigned = self.paid[base] + self.of_nobody[base] - self.third_fees[base]
            assert amount + unassigned == self.totals[base], base
        for bot_id in BOT_IDS:
            earned = [one.pnl for one in rows("trades").values() if one.bot_id == bot_id]
            assert self.room.books.bots[bot_id].realised_pnl == sum(earned, ZERO)

    def _check_trade(self, position: Position) -> None:
        trade = self.room.store.rows("trades").get(position.id)
        assert (trade is None) == position.is_open, position.id
        assert trade is None or trade.pnl == self.cash[position.id], position.id

    def check_venue(self) -> None:
        """No order is there twice, none that the books do not have, none that is off the grid."""
        venue, orders = self.room.venue, self.room.store.rows("orders")
        assert venue.misfits == []
        for client_id, accepted in venue.accepted.items():
            if client_id.startswith(OURS):
                assert client_id in orders, f"{client_id} is at the venue and not in the books"
                assert len(accepted) == 1, f"{client_id} was accepted {len(accepted)} times"
        for client_id, count in venue.sends.items():
            assert count == 1 or orders[client_id].purpose is not Purpose.ENTRY, client_id

    def check_exit(self, request: OrderRequest, order: Order) -> None:
        """What is asked to be closed is held, with all that is asked for already."""
        position = self.room.books.positions[order.bot_id]
        assert request.quantity is not None
        asked = {order.oco_id or order.client_id: request.quantity}
        for client_id, accepted in self.room.venue.accepted.items():
            other = self.room.store.rows("orders").get(client_id)
            if other is None or not other.is_reducing or other.bot_id != order.bot_id:
                continue
            left = sum((one.left for one in accepted if one.is_working), ZERO)
            pair = other.oco_id or client_id  # of two, only one can be filled
            asked[pair] = max(left, asked.get(pair, ZERO))
        assert sum(asked.values(), ZERO) <= position.quantity, (asked, position)

    def is_settled(self) -> bool:
        """Whether ``check_settled`` finds nothing."""
        try:
            self.check_settled()
        except AssertionError:
            return False
        return True

    def check_settled(self) -> None:
        """Nothing is unknown, unbooked or open."""
        room = self.room
        assert room.venue.is_settled
        assert not any(room.books.working.values()), room.books.working
        assert not room.venue.open_orders()
        assert without_zeros(room.books.totals[ACCOUNT]) == without_zeros(room.venue.totals)
        assert not room.books.positions
        assert not self.excess, "more was closed than was held"
