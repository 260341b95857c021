"""``order_send`` behind the stand-in: what its broker refuses, and what it does otherwise."""

from collections import deque
from collections.abc import Callable
from decimal import Decimal

from tests.fakes.metatrader5.records import CONSTANTS, OrderSendResult, TradeRequest
from tests.fakes.metatrader5.world import SIGNS, ZERO, Position, Symbol, World, WorldOrder

C = CONSTANTS
DONE = C["TRADE_RETCODE_DONE"]
LOST = "accepted, then no answer"
DEAL, PENDING, REMOVE = (
    C["TRADE_ACTION_DEAL"], C["TRADE_ACTION_PENDING"], C["TRADE_ACTION_REMOVE"],
)  # fmt: skip


class Trading:
    """Requests, one after the other. ``faults`` are return codes that the next requests get
    instead of being read; a code in ``accepted_but`` is given after the order was taken. ``LOST``
    is no answer at all, after it was taken. ``after_next`` is called once a request was read, and
    forgotten."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.faults: deque[int] = deque()
        self.accepted_but: deque[int | str] = deque()
        self.requests: list[TradeRequest] = []
        self.after_next: Callable[[TradeRequest], object] | None = None

    def send(self, asked: TradeRequest) -> OrderSendResult | None:
        """Take a request, or say why not."""
        self.requests.append(asked)
        answer = self._read(asked)
        if self.after_next is not None:
            follow, self.after_next = self.after_next, None
            follow(asked)
        return answer

    def _read(self, asked: TradeRequest) -> OrderSendResult | None:
        if self.faults:
            return self.result(asked, self.faults.popleft())
        code = self.objection(asked)
        if code:
            return self.result(asked, code)
        result = self._done(asked)
        if self.accepted_but:
            code_or_lost = self.accepted_but.popleft()
            if isinstance(code_or_lost, str):
                return None
            return self.result(asked, code_or_lost)
        return result

    def result(self, asked: TradeRequest, code: int) -> OrderSendResult:
        """An answer without an order."""
        return OrderSendResult(code, 0, 0, 0.0, 0.0, 0.0, 0.0, "", 1, 0, asked)

    def objection(self, asked: TradeRequest) -> int:
        """The return code of a request that is refused; 0 for one that is taken."""
        world = self._world
        if asked.action == REMOVE:
            return 0 if asked.order in world.orders else C["TRADE_RETCODE_INVALID_ORDER"]
        symbol = world.symbols.get(asked.symbol)
        if symbol is None or asked.action not in (DEAL, PENDING):
            return C["TRADE_RETCODE_INVALID"]
        if symbol.trade_mode == C["SYMBOL_TRADE_MODE_DISABLED"]:
            return C["TRADE_RETCODE_TRADE_DISABLED"]
        if not world.is_open(symbol, world.server_ms()):
            return C["TRADE_RETCODE_MARKET_CLOSED"]
        lots = _exact(asked.volume)
        if lots % symbol.step or not symbol.least <= lots <= symbol.most:
            return C["TRADE_RETCODE_INVALID_VOLUME"]
        return self._objection_to_kind(asked, symbol, lots)

    def _objection_to_kind(self, asked: TradeRequest, symbol: Symbol, lots: Decimal) -> int:
        if asked.action == PENDING:
            return self._objection_to_pending(asked, symbol)
        if asked.type not in (0, 1) or asked.price <= 0:
            return C["TRADE_RETCODE_INVALID"]
        if not self._may_fill(asked, symbol):
            return C["TRADE_RETCODE_INVALID_FILL"]
        if asked.position:
            return self._objection_to_closing(asked, lots)
        needed = self._world.needed(symbol, asked.type, lots)
        if needed > self._world.equity() - self._world.margin():
            return C["TRADE_RETCODE_NO_MONEY"]
        return 0

    def _objection_to_pending(self, asked: TradeRequest, symbol: Symbol) -> int:
        if asked.type not in range(2, 8):
            return C["TRADE_RETCODE_INVALID"]
        if asked.type_filling != C["ORDER_FILLING_RETURN"]:
            return C["TRADE_RETCODE_INVALID_FILL"]
        price = _exact(asked.price)
        market = symbol.ask if asked.type % 2 == 0 else symbol.bid
        ahead = SIGNS[asked.type % 2] * (price - market)
        is_exchange = symbol.execution == C["SYMBOL_TRADE_EXECUTION_EXCHANGE"]
        is_limit = asked.type in (2, 3)
        if price <= 0 or (is_limit and ahead >= 0 and not is_exchange):
            return C["TRADE_RETCODE_INVALID_PRICE"]
        if not is_limit and ahead <= 0:
            return C["TRADE_RETCODE_INVALID_PRICE"]
        if (asked.type in (6, 7)) != (asked.stoplimit > 0):
            return C["TRADE_RETCODE_INVALID_PRICE"]
        behind = SIGNS[asked.type % 2] * (_exact(asked.stoplimit) - price)
        if asked.type in (6, 7) and behind >= 0 and not is_exchange:
            return C["TRADE_RETCODE_INVALID_PRICE"]  # the limit is for a better price than the stop
        return 0

    def _may_fill(self, asked: TradeRequest, symbol: Symbol) -> bool:
        filling, execution = asked.type_filling, symbol.execution
        if filling == C["ORDER_FILLING_RETURN"]:
            return execution != C["SYMBOL_TRADE_EXECUTION_MARKET"]
        if execution in (0, 1):
            return filling == C["ORDER_FILLING_FOK"]
        return bool(symbol.filling & (1 if filling == C["ORDER_FILLING_FOK"] else 2))

    def _objection_to_closing(self, asked: TradeRequest, lots: Decimal) -> int:
        target: Position | None = self._world.positions.get(asked.position)
        if target is None:
            return C["TRADE_RETCODE_POSITION_CLOSED"]
        if target.symbol != asked.symbol or target.type == asked.type:
            return C["TRADE_RETCODE_INVALID"]
        return C["TRADE_RETCODE_INVALID_CLOSE_VOLUME"] if lots > target.volume else 0

    def _done(self, asked: TradeRequest) -> OrderSendResult:
        world = self._world
        if asked.action == REMOVE:
            world.end(world.orders[asked.order], C["ORDER_STATE_CANCELED"])
            return self.result(asked, DONE)._replace(order=asked.order)
        symbol, lots = world.symbols[asked.symbol], _exact(asked.volume)
        order = WorldOrder(
            world.ticket(), asked.symbol, asked.type, lots, lots, _exact(asked.price),
            _exact(asked.stoplimit), asked.magic, asked.comment, asked.type_filling,
            asked.type_time, world.server_ms(), position=asked.position,
        )  # fmt: skip
        world.orders[order.ticket] = order
        if asked.action == PENDING:
            world.work(order)
            return self.result(asked, DONE)._replace(order=order.ticket)
        return self._at_once(asked, order, symbol)

    def _at_once(self, asked: TradeRequest, order: WorldOrder, symbol: Symbol) -> OrderSendResult:
        world = self._world
        price = symbol.ask if order.side == 0 else symbol.bid
        lots = min(order.left, symbol.depth)
        if order.filling == C["ORDER_FILLING_FOK"] and lots < order.left:
            world.end(order, C["ORDER_STATE_CANCELED"])
            return self.result(asked, C["TRADE_RETCODE_REJECT"])
        deal = world.fill(order, price, lots)
        is_whole = order.left == ZERO
        if not is_whole:
            world.end(order, C["ORDER_STATE_CANCELED"])
        return OrderSendResult(
            DONE if is_whole else C["TRADE_RETCODE_DONE_PARTIAL"], deal.ticket, order.ticket,
            float(lots), float(price), float(symbol.bid), float(symbol.ask), "", 1, 0, asked,
        )  # fmt: skip


def _exact(number: float) -> Decimal:
    return Decimal(repr(float(number)))
