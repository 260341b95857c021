"""A broker behind the stand-in: symbols, an account, orders, deals and positions; exact inside."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from tests.fakes.metatrader5.records import CONSTANTS

C = CONSTANTS
SIGNS = {0: 1, 1: -1}
RESTING = frozenset({C["ORDER_STATE_STARTED"], C["ORDER_STATE_PLACED"], C["ORDER_STATE_PARTIAL"]})
ZERO = Decimal(0)
FIRST_TICKET = 100_001


@dataclass
class Symbol:
    """A symbol's rules and its price now. ``depth`` is how many lots are on offer at each price."""

    name: str
    base: str
    profit: str
    path: str
    price: Decimal
    digits: int
    contract: Decimal = Decimal(1)
    step: Decimal = Decimal("0.01")
    least: Decimal = Decimal("0.01")
    most: Decimal = Decimal(1_000_000_000)
    spread: int = 2
    calc_mode: int = C["SYMBOL_CALC_MODE_CFD"]
    execution: int = C["SYMBOL_TRADE_EXECUTION_MARKET"]
    filling: int = 3
    trade_mode: int = C["SYMBOL_TRADE_MODE_FULL"]
    is_visible: bool = True
    never_closes: bool = False
    has_last: bool = False
    commission: Decimal = Decimal("0.0002")
    depth: Decimal = Decimal(1_000_000_000)
    tick_ms: int = 0

    @property
    def point(self) -> Decimal:
        return Decimal(1).scaleb(-self.digits)

    @property
    def bid(self) -> Decimal:
        return self.price - self.spread // 2 * self.point

    @property
    def ask(self) -> Decimal:
        return self.bid + self.spread * self.point


@dataclass
class WorldOrder:
    ticket: int
    symbol: str
    type: int
    volume: Decimal
    left: Decimal
    price: Decimal
    stoplimit: Decimal
    magic: int
    comment: str
    filling: int
    lasting: int
    setup_ms: int
    state: int = C["ORDER_STATE_PLACED"]
    done_ms: int = 0
    position: int = 0

    @property
    def side(self) -> int:
        return self.type % 2


@dataclass
class Deal:
    ticket: int
    order: int
    symbol: str
    type: int
    entry: int
    volume: Decimal
    price: Decimal
    time_ms: int
    magic: int = 0
    comment: str = ""
    position: int = 0
    commission: Decimal = ZERO
    swap: Decimal = ZERO
    profit: Decimal = ZERO
    fee: Decimal = ZERO


@dataclass
class Position:
    ticket: int
    symbol: str
    type: int
    volume: Decimal
    price: Decimal
    time_ms: int
    magic: int
    comment: str
    swap: Decimal = ZERO


@dataclass
class World:
    """One account at one broker. ``now`` is UTC; the server's clock is ``ahead`` of it."""

    now: Callable[[], datetime]
    ahead: Callable[[datetime], timedelta] = lambda _now: timedelta(hours=2)
    is_hedging: bool = False
    is_demo: bool = True
    login: int = 51_234_567
    password: str = "main-password"
    server: str = "StandIn-Demo"
    currency: str = "USD"
    leverage: int = 1
    balance: Decimal = Decimal(10_000_000)
    symbols: dict[str, Symbol] = field(default_factory=dict)
    orders: dict[int, WorldOrder] = field(default_factory=dict)
    done: dict[int, WorldOrder] = field(default_factory=dict)
    deals: list[Deal] = field(default_factory=list)
    positions: dict[int, Position] = field(default_factory=dict)
    hidden_deals: int = 0
    """How many questions the newest deals stay away from the list."""

    hidden_orders: int = 0
    """The same of the newest order that is done."""

    def __post_init__(self) -> None:
        self._tickets = FIRST_TICKET

    # --- time ----------------------------------------------------------------------------------

    def server_ms(self) -> int:
        """The server's wall clock, as if it were UTC."""
        now = self.now()
        return round((now + self.ahead(now)).timestamp() * 1000)

    def is_open(self, symbol: Symbol, server_ms: int) -> bool:
        """Forex trades from Monday to Friday by the server's clock."""
        return symbol.never_closes or datetime.fromtimestamp(server_ms / 1000, UTC).weekday() < 5

    # --- what a test does ----------------------------------------------------------------------

    def set_price(self, name: str, price: Decimal) -> None:
        """Let the market move, and work on what rests."""
        symbol = self.symbols[name]
        symbol.price = price.quantize(symbol.point)
        symbol.tick_ms = max(self.server_ms(), symbol.tick_ms + 1)
        for order in [each for each in self.orders.values() if each.symbol == name]:
            self.work(order)

    def book_amount(self, kind: int, amount: Decimal, comment: str = "") -> Deal:
        """A deposit, a withdrawal, interest: a deal that is no trade."""
        self.balance += amount
        deal = Deal(
            self.ticket(), 0, "", kind, 0, ZERO, ZERO, self.server_ms(),
            comment=comment, profit=amount,
        )  # fmt: skip
        self.deals.append(deal)
        return deal

    # --- figures -------------------------------------------------------------------------------

    def rate(self, currency: str) -> Decimal:
        """What one unit of a currency is worth in the account's."""
        if currency == self.currency:
            return Decimal(1)
        for symbol in self.symbols.values():
            if (symbol.base, symbol.profit) == (currency, self.currency):
                return symbol.price
            if (symbol.base, symbol.profit) == (self.currency, currency):
                return 1 / symbol.price
        return Decimal(1)

    def value(self, symbol: Symbol, lots: Decimal, price: Decimal) -> Decimal:
        """In the account's currency."""
        return lots * symbol.contract * price * self.rate(symbol.profit)

    def floating(self, position: Position) -> Decimal:
        """Profit of an open position, at the price at which it would be closed."""
        symbol = self.symbols[position.symbol]
        price = symbol.bid if position.type == 0 else symbol.ask
        return self.value(symbol, position.volume, price - position.price) * SIGNS[position.type]

    def equity(self) -> Decimal:
        return self.balance + sum((self.floating(each) for each in self.positions.values()), ZERO)

    def margin(self) -> Decimal:
        used = (
            self.value(self.symbols[each.symbol], each.volume, each.price)
            for each in self.positions.values()
        )
        return sum(used, ZERO) / self.leverage

    def needed(self, symbol: Symbol, side: int, lots: Decimal) -> Decimal:
        """Margin that an order would add."""
        if not self.is_hedging:
            own = [each for each in self.positions.values() if each.symbol == symbol.name]
            held = sum((each.volume * SIGNS[each.type] for each in own), ZERO)
            lots = max(abs(held + SIGNS[side] * lots) - abs(held), ZERO)
        price = symbol.ask if side == 0 else symbol.bid
        return self.value(symbol, lots, price) / self.leverage

    # --- matching ------------------------------------------------------------------------------

    def ticket(self) -> int:
        self._tickets += 1
        return self._tickets

    def work(self, order: WorldOrder) -> None:
        """Trigger and fill a resting order as far as the market's price allows."""
        symbol = self.symbols[order.symbol]
        price = symbol.ask if order.side == 0 else symbol.bid
        sign = SIGNS[order.side]
        if order.type in (4, 5, 6, 7) and sign * (price - order.price) >= 0:
            if order.type in (6, 7):
                order.type -= 4
                order.price, order.stoplimit = order.stoplimit, ZERO
            else:
                self.fill(order, price, order.left)
        if order.type in (2, 3) and sign * (order.price - price) >= 0:
            self.fill(order, price, min(order.left, symbol.depth))

    def fill(self, order: WorldOrder, price: Decimal, lots: Decimal) -> Deal:
        """Execute a part of an order, or all of it."""
        symbol = self.symbols[order.symbol]
        deal = Deal(
            self.ticket(), order.ticket, order.symbol, order.side, 0, lots, price,
            self.server_ms(), order.magic, order.comment,
        )  # fmt: skip
        deal.commission = -(self.value(symbol, lots, price) * symbol.commission).quantize(
            Decimal("0.01")
        )
        self._apply(deal, order)
        self.balance += deal.profit + deal.commission + deal.swap
        self.deals.append(deal)
        order.left -= lots
        if order.left:
            order.state = C["ORDER_STATE_PARTIAL"]
        else:
            self.end(order, C["ORDER_STATE_FILLED"])
        return deal

    def end(self, order: WorldOrder, state: int) -> None:
        """Move an order into the history."""
        order.state, order.done_ms = state, self.server_ms()
        self.orders.pop(order.ticket, None)
        self.done[order.ticket] = order

    def _apply(self, deal: Deal, order: WorldOrder) -> None:
        target = self.positions.get(order.position)
        if not self.is_hedging:
            target = next(
                (each for each in self.positions.values() if each.symbol == deal.symbol), None
            )
        if target is None:
            self._open(deal, order, deal.volume)
        elif target.type == deal.type:
            total = target.volume + deal.volume
            target.price = (target.price * target.volume + deal.price * deal.volume) / total
            target.volume = total
            deal.position = target.ticket
        else:
            self._close(deal, order, target)

    def _open(self, deal: Deal, order: WorldOrder, lots: Decimal) -> None:
        self.positions[order.ticket] = Position(
            order.ticket, deal.symbol, deal.type, lots, deal.price, deal.time_ms, order.magic,
            order.comment,
        )  # fmt: skip
        deal.position = order.ticket

    def _close(self, deal: Deal, order: WorldOrder, target: Position) -> None:
        symbol = self.symbols[deal.symbol]
        closed = min(target.volume, deal.volume)
        gain = (deal.price - target.price) * SIGNS[target.type]
        deal.profit = self.value(symbol, closed, gain)
        deal.entry, deal.position = C["DEAL_ENTRY_OUT"], target.ticket
        deal.swap, target.swap = target.swap, ZERO
        target.volume -= closed
        if not target.volume:
            del self.positions[target.ticket]
        if deal.volume > closed:
            deal.entry = C["DEAL_ENTRY_INOUT"]
            self._open(deal, order, deal.volume - closed)
