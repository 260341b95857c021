"""The functions of the package MetaTrader5 over a ``World``: its arguments, answers and errors."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from threading import Event
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tests.fakes.metatrader5.rates import back_from, bars, seconds_of
from tests.fakes.metatrader5.records import (
    CONSTANTS,
    AccountInfo,
    OrderCheckResult,
    OrderSendResult,
    SymbolInfo,
    TerminalInfo,
    Tick,
    TradeDeal,
    TradeOrder,
    TradePosition,
    TradeRequest,
)
from tests.fakes.metatrader5.trading import Trading
from tests.fakes.metatrader5.world import Deal, Position, Symbol, World, WorldOrder

T = TypeVar("T")
OK = (1, "Success")
NO_IPC = (-10004, "No IPC connection")
TIMED_OUT = (-10005, "IPC timeout")
NOT_FOUND = (-4, "Terminal: Not found")
CALL_FAILED = (-1, "Terminal: Call failed")
LONGEST_COMMENT = 31
PATIENCE_S = 10.0
TYPES: Mapping[type, tuple[type, ...]] = {int: (int,), float: (int, float), str: (str,)}


class StandIn:
    """Has the attributes of the module, so that it is used in its place. A test sets ``terminal``
    and ``faults``, and reads what was ``called``."""

    __version__ = "5.0.6231"

    def __init__(self, world: World) -> None:
        self.world = world
        self.terminal = TerminalInfo()
        self.is_running = True
        self.may_trade = True
        self.trading = Trading(world)
        self.called: list[str] = []
        self.junk: dict[str, Any] = {}
        """By function: what it answers instead of the truth."""
        self._is_connected = False
        self._error = OK
        self._hanging: dict[str, Event] = {}

    def __getattr__(self, name: str) -> int:
        try:
            return CONSTANTS[name]
        except KeyError:
            raise AttributeError(name) from None

    # --- connection ----------------------------------------------------------------------------

    def initialize(
        self, path: str | None = None, *, login: int | None = None, password: str | None = None,
        server: str | None = None, timeout: int = 60_000, portable: bool = False,
    ) -> bool:  # fmt: skip
        self.called.append("initialize")
        if not self.is_running:
            return self._failed(TIMED_OUT, False)
        world = self.world
        if login is not None and (login, server) != (world.login, world.server):
            return self._failed((-6, "Terminal: Authorization failed"), False)
        if password is not None and password != world.password:
            return self._failed((-6, "Terminal: Authorization failed"), False)
        self._is_connected = True
        self._error = OK
        return True

    def shutdown(self) -> None:
        self._is_connected = False

    def last_error(self) -> tuple[int, str]:
        return self._error

    def crash(self) -> None:
        """The terminal is closed and started again: its connections are gone."""
        self._is_connected = False

    def hang(self, name: str) -> Callable[[], None]:
        """A function does not return until the answer is called."""
        self._hanging[name] = Event()
        return self._hanging[name].set

    def terminal_info(self) -> TerminalInfo | None:
        return self._answer("terminal_info", lambda: self.terminal)

    def account_info(self) -> AccountInfo | None:
        return self._answer("account_info", self._account)

    # --- symbols -------------------------------------------------------------------------------

    def symbols_get(self, group: str = "*") -> tuple[SymbolInfo, ...] | None:
        return self._answer(
            "symbols_get",
            lambda: tuple(
                self._symbol(each) for each in self.world.symbols.values()
                if fnmatchcase(each.name, group)
            ),
        )  # fmt: skip

    def symbol_info(self, symbol: str) -> SymbolInfo | None:
        return self._answer("symbol_info", lambda: self._of(symbol, self._symbol))

    def symbol_info_tick(self, symbol: str) -> Tick | None:
        return self._answer("symbol_info_tick", lambda: self._of(symbol, self._tick))

    def symbol_select(self, symbol: str, enable: bool = True) -> bool | None:
        def select(found: Symbol) -> bool:
            found.is_visible = enable
            return True

        return self._answer("symbol_select", lambda: self._of(symbol, select))

    # --- bars ----------------------------------------------------------------------------------

    def copy_rates_from(
        self, symbol: str, timeframe: int, date_from: int | datetime, count: int
    ) -> NDArray[np.void] | None:
        length_s = seconds_of(timeframe)
        return self._rates(
            symbol, length_s,
            lambda found: back_from(self.world, found, length_s, _epoch(date_from), count),
        )  # fmt: skip

    def copy_rates_from_pos(
        self, symbol: str, timeframe: int, start_pos: int, count: int
    ) -> NDArray[np.void] | None:
        length_s, now_s = seconds_of(timeframe), self.world.server_ms() // 1000

        def starts(found: Symbol) -> range:
            whole = back_from(self.world, found, length_s, now_s, start_pos + count)
            return whole[: len(whole) - start_pos]

        return self._rates(symbol, length_s, starts)

    def copy_rates_range(
        self, symbol: str, timeframe: int, date_from: int | datetime, date_to: int | datetime
    ) -> NDArray[np.void] | None:
        length_s = seconds_of(timeframe)
        first = -(-_epoch(date_from) // length_s) * length_s
        return self._rates(
            symbol, length_s, lambda _found: range(first, _epoch(date_to) + 1, length_s)
        )

    # --- the account's lists -------------------------------------------------------------------

    def orders_get(self, **named: Any) -> tuple[TradeOrder, ...] | None:
        return self._list("orders_get", self.world.orders.values, self._order, named)

    def positions_get(self, **named: Any) -> tuple[TradePosition, ...] | None:
        return self._list("positions_get", self.world.positions.values, self._position, named)

    def history_orders_get(self, *dates: int | datetime, **named: Any) -> Any:
        def done() -> list[WorldOrder]:
            found = list(self.world.done.values())
            if self.world.hidden_orders:
                self.world.hidden_orders -= 1
                return found[:-1]
            return found

        return self._history(
            "history_orders_get", done, self._order, dates, named,
            time=lambda order: order.done_ms, ticket=lambda order: order.ticket,
        )  # fmt: skip

    def history_deals_get(self, *dates: int | datetime, **named: Any) -> Any:
        def deals() -> list[Deal]:
            if self.world.hidden_deals:
                self.world.hidden_deals -= 1
                return self.world.deals[:-1]
            return self.world.deals

        return self._history(
            "history_deals_get", deals, self._deal, dates, named,
            time=lambda deal: deal.time_ms, ticket=lambda deal: deal.order,
        )  # fmt: skip

    # --- orders --------------------------------------------------------------------------------

    def order_check(self, request: dict[str, Any]) -> OrderCheckResult | None:
        def check(asked: TradeRequest) -> OrderCheckResult:
            code = self.trading.objection(asked)
            account = self._account()
            return OrderCheckResult(
                code, account.balance, account.equity, account.profit, account.margin,
                account.margin_free, account.margin_level, "", asked,
            )  # fmt: skip

        return self._asked("order_check", request, check)

    def order_send(self, request: dict[str, Any]) -> OrderSendResult | None:
        def send(asked: TradeRequest) -> OrderSendResult | None:
            if self.terminal.tradeapi_disabled:
                failed = (-8, "Auto-Trading using Python API disabled in Terminal")
                return self._failed(failed, None)
            if not self.terminal.trade_allowed:
                return self.trading.result(asked, CONSTANTS["TRADE_RETCODE_CLIENT_DISABLES_AT"])
            if not self.terminal.connected:
                return self.trading.result(asked, CONSTANTS["TRADE_RETCODE_CONNECTION"])
            result = self.trading.send(asked)
            return self._failed(TIMED_OUT, None) if result is None else result

        return self._asked("order_send", request, send)

    # --- answers -------------------------------------------------------------------------------

    def _answer(self, name: str, make: Callable[[], T]) -> T | None:
        self.called.append(name)
        if name in self._hanging:
            self._hanging[name].wait(PATIENCE_S)
        if not self.is_running or not self._is_connected:
            return self._failed(TIMED_OUT if self._is_connected else NO_IPC, None)
        self._error = OK
        answer = make()
        junk: T = self.junk.get(name, answer)
        return junk

    def _failed(self, error: tuple[int, str], answer: T) -> T:
        self._error = error
        return answer

    def _of(self, name: str, make: Callable[[Symbol], T]) -> T | None:
        found = self.world.symbols.get(name)
        return self._failed(NOT_FOUND, None) if found is None else make(found)

    def _rates(
        self, name: str, length_s: int, starts: Callable[[Symbol], range]
    ) -> NDArray[np.void] | None:
        def make(found: Symbol) -> Any:
            table = bars(self.world, found, length_s, starts(found))
            return table if len(table) else self._failed(CALL_FAILED, None)

        return self._answer("copy_rates", lambda: self._of(name, make))

    def _asked(
        self, name: str, request: dict[str, Any], act: Callable[[TradeRequest], T | None]
    ) -> T | None:
        def checked() -> T | None:
            wrong = _wrong_field(request)
            if wrong is not None:
                return self._failed((-2, wrong), None)
            return act(TradeRequest(**request))

        return self._answer(name, checked)

    def _list(
        self, name: str, rows: Callable[[], Iterable[Any]], make: Callable[[Any], T],
        named: Mapping[str, Any],
    ) -> tuple[T, ...] | None:  # fmt: skip
        def found() -> tuple[T, ...] | None:
            if len(named) > 1 or not named.keys() <= {"symbol", "group", "ticket"}:
                return self._failed((-2, "Invalid arguments"), None)
            return tuple(
                make(each) for each in rows()
                if each.symbol == named.get("symbol", each.symbol)
                and each.ticket == named.get("ticket", each.ticket)
                and _is_in(each.symbol, named.get("group", "*"))
            )  # fmt: skip

        return self._answer(name, found)

    def _history(
        self, name: str, rows: Callable[[], Iterable[Any]], make: Callable[[Any], Any],
        dates: tuple[int | datetime, ...], named: Mapping[str, Any], *,
        time: Callable[[Any], int], ticket: Callable[[Any], int],
    ) -> Any:  # fmt: skip
        def found() -> Any:
            by_id = named.keys() & {"ticket", "position"}
            is_dated = len(dates) == 2 and named.keys() <= {"group"}
            if not is_dated and not (not dates and len(named) == len(by_id) == 1):
                return self._failed((-2, "Invalid arguments"), None)
            if by_id:
                [(key, wanted)] = named.items()
                of = ticket if key == "ticket" else (lambda each: each.position)
                return tuple(make(each) for each in rows() if of(each) == wanted)
            first, last = _epoch(dates[0]) * 1000, _epoch(dates[1]) * 1000
            return tuple(
                make(each) for each in rows()
                if first <= time(each) <= last and _is_in(each.symbol, named.get("group", "*"))
            )  # fmt: skip

        return self._answer(name, found)

    # --- rows ----------------------------------------------------------------------------------

    def _account(self) -> AccountInfo:
        world = self.world
        equity, margin = float(world.equity()), float(world.margin())
        return AccountInfo(
            world.login, 0 if world.is_demo else 2, world.leverage, 200, 0, self.may_trade, True,
            2 if world.is_hedging else 0, 2, False, float(world.balance), 0.0,
            equity - float(world.balance), equity, margin, equity - margin, 0.0, 50.0, 30.0, 0.0,
            0.0, 0.0, 0.0, 0.0, "A. Person", world.server, world.currency, "Stand-in Ltd.",
        )  # fmt: skip

    def _symbol(self, each: Symbol) -> SymbolInfo:
        last = float(each.price) if each.has_last else 0.0
        return SymbolInfo(
            False, 0, each.is_visible, each.is_visible, each.tick_ms // 1000, each.digits,
            each.spread, True, each.calc_mode, each.trade_mode, 0, 0, each.execution, 15,
            each.filling, 127, 0, float(each.bid), float(each.ask), last, float(each.point),
            1.0, float(each.point), float(each.contract), float(each.least), float(each.most),
            float(each.step), 0.0, -1.0, -1.0, each.base, each.profit, each.base,
            f"{each.base} in {each.profit}", each.name, each.path,
        )  # fmt: skip

    def _tick(self, each: Symbol) -> Tick:
        last = float(each.price) if each.has_last else 0.0
        return Tick(
            each.tick_ms // 1000, float(each.bid), float(each.ask), last, 0, each.tick_ms, 6, 0.0
        )

    def _order(self, each: WorldOrder) -> TradeOrder:
        return TradeOrder(
            each.ticket, each.setup_ms // 1000, each.setup_ms, each.done_ms // 1000, each.done_ms,
            0, each.type, each.lasting, each.filling, each.state, each.magic, each.position, 0, 3,
            float(each.volume), float(each.left), float(each.price), 0.0, 0.0, 0.0,
            float(each.stoplimit), each.symbol, each.comment, "",
        )  # fmt: skip

    def _position(self, each: Position) -> TradePosition:
        return TradePosition(
            each.ticket, each.time_ms // 1000, each.time_ms, each.time_ms // 1000, each.time_ms,
            each.type, each.magic, each.ticket, 3, float(each.volume), float(each.price), 0.0, 0.0,
            float(self.world.symbols[each.symbol].price), float(each.swap),
            float(self.world.floating(each)), each.symbol, each.comment, "",
        )  # fmt: skip

    def _deal(self, each: Deal) -> TradeDeal:
        return TradeDeal(
            each.ticket, each.order, each.time_ms // 1000, each.time_ms, each.type, each.entry,
            each.magic, each.position, 3, float(each.volume), float(each.price),
            float(each.commission), float(each.swap), float(each.profit), float(each.fee),
            each.symbol, each.comment, "",
        )  # fmt: skip


def _wrong_field(request: Mapping[str, Any]) -> str | None:
    """What the package says of a request that it cannot take."""
    if not isinstance(request, dict):
        return "Invalid arguments"
    kinds = TradeRequest.__annotations__
    for name, value in request.items():
        if name not in kinds:
            return "Invalid arguments"
        if not isinstance(value, TYPES[kinds[name]]) or isinstance(value, bool | Decimal):
            return f'Invalid "{name}" argument'
    if len(request.get("comment", "")) > LONGEST_COMMENT:
        return 'Invalid "comment" argument'
    return None


def _is_in(symbol: str, group: str) -> bool:
    return any(fnmatchcase(symbol, each) for each in group.split(","))


def _epoch(date: int | datetime) -> int:
    return int(date.timestamp()) if isinstance(date, datetime) else int(date)
