"""``QuarterdeckBridge.mq5`` over a stand-in of a terminal; names of methods are those of its
functions."""

import json
from datetime import UTC, datetime
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

from engine.domain.money import ZERO, exact
from tests.fakes.expert_advisor.wire import Json, Wire
from tests.fakes.metatrader5 import CONSTANTS as C
from tests.fakes.metatrader5 import StandIn

REFUSALS = {
    10004, 10006, *range(10013, 10023), 10024, 10026, 10027, 10029, 10030,
    *range(10032, 10037), 10038, 10039, 10040, *range(10042, 10046),
}  # fmt: skip
STATES = {4: "filled", 5: "rejected", 6: "expired"}
TRADE_MODES = {0: "disabled", 1: "long_only", 2: "short_only", 3: "close_only", 4: "full"}
KINDS = {("limit", 0): 2, ("limit", 1): 3, ("stop", 0): 4, ("stop", 1): 5,
         ("stop_limit", 0): 6, ("stop_limit", 1): 7}  # fmt: skip


class ExpertAdvisor:
    """An advisor on a chart. ``done_file`` outlives it: a new one over the same file executes
    nothing a second time. ``sends`` counts what it ordered in the terminal."""

    def __init__(
        self, stand_in: StandIn, wire: Wire, done_file: Path, *, magic: int,
        symbols: tuple[str, ...], timeframe: str = "M1", executes: bool = True,
        most_bars: int = 1000,
    ) -> None:  # fmt: skip
        self.terminal = stand_in
        self.wire = wire
        self.magic = magic
        self.symbols = symbols
        self.timeframe = timeframe
        self.executes = executes
        self.most_bars = most_bars
        self.is_off = False
        self.sends = 0
        self.done_file = done_file
        self._wanted: dict[str, int] = {}
        assert stand_in.initialize()

    # --- life -----------------------------------------------------------------------------------

    def tick(self) -> None:
        """``OnTimer``."""
        if self.is_off:
            return
        for symbol in self.symbols:
            self.send_prices(symbol)
        if self.executes:
            self.take_orders()

    def _now(self) -> datetime:
        return self.terminal.world.now()

    def _ahead_s(self) -> int:
        return int(self.terminal.world.ahead(self._now()).total_seconds())

    def _utc(self, server_s: float) -> str:
        return _moment(datetime.fromtimestamp(server_s - self._ahead_s(), UTC))

    # --- prices ---------------------------------------------------------------------------------

    def send_prices(self, symbol: str) -> None:
        """``SendPrices``."""
        tick, facts = self.terminal.symbol_info_tick(symbol), self.terminal.symbol_info(symbol)
        bars = self.rates(symbol, max(1, min(self._wanted.get(symbol, 0), self.most_bars)))
        if tick is None or facts is None or not bars:
            return
        seconds, *prices, volume = bars[-1]
        body = self.head("market_data") | {
            "symbol": symbol, "timeframe": self.timeframe, "time": _moment(self._now()),
            "bar_time": _moment(datetime.fromtimestamp(seconds, UTC)),
            "bid": tick.bid, "ask": tick.ask, "spread": round(tick.ask - tick.bid, facts.digits),
            **dict(zip(("open", "high", "low", "close"), prices, strict=True)),
            "volume": volume, "indicators": {"rsi_14": 51.5, "sma_50": None},
            "instrument": {
                "digits": facts.digits, "point": facts.point, "tick_size": facts.trade_tick_size,
                "contract_size": facts.trade_contract_size, "lot_min": facts.volume_min,
                "lot_step": facts.volume_step, "lot_max": facts.volume_max,
                "base": facts.currency_base, "profit": facts.currency_profit,
                "trade_mode": TRADE_MODES[facts.trade_mode], "path": facts.path,
            },
            "bars": bars[:-1],
        }  # fmt: skip
        answer = self.wire.post("/api/signals", json.dumps(body))
        if answer is not None:
            self._wanted[symbol] = int(answer["wants_bars"])

    def rates(self, symbol: str, count: int) -> list[Any]:
        """``CopyRates``: epoch, open, high, low, close, volume of closed bars, oldest first."""
        timeframe = C[f"TIMEFRAME_{self.timeframe}"]
        bars = self.terminal.copy_rates_from_pos(symbol, timeframe, 1, count)
        return [
            [int(bar["time"]) - self._ahead_s(), float(bar["open"]), float(bar["high"]),
             float(bar["low"]), float(bar["close"]), int(bar["tick_volume"])]
            for bar in (() if bars is None else bars)
        ]  # fmt: skip

    def head(self, kind: str) -> Json:
        """``Head`` and ``State``."""
        account = self.terminal.account_info()
        assert account is not None
        is_allowed = self.terminal.terminal.trade_allowed and account.trade_allowed
        return {
            "source": "metatrader-ea", "version": 1, "account": str(account.login),
            "server": account.server, "type": kind,
            "terminal": {
                "currency": account.currency, "balance": account.balance,
                "equity": account.equity, "margin": account.margin,
                "margin_free": account.margin_free, "is_demo": account.trade_mode == 0,
                "is_hedging": account.margin_mode == 2,
                "may_trade": bool(is_allowed and self.executes),
            },
            "positions": [
                {
                    "ticket": str(held.ticket), "symbol": held.symbol,
                    "side": "buy" if held.type == 0 else "sell", "lots": held.volume,
                    "price": held.price_open, "magic": str(held.magic),
                    "time": self._utc(held.time),
                }
                for held in self.terminal.positions_get() or ()
            ],
        }  # fmt: skip

    # --- orders ---------------------------------------------------------------------------------

    def take_orders(self) -> None:
        """``TakeOrders``."""
        account = self.terminal.account_info()
        assert account is not None
        query = {"account": str(account.login), "magic": str(self.magic)}
        answer = self.wire.get("/api/mt5/orders", query)
        for asked in answer["orders"] if answer else ():
            self.execute(asked)

    def execute(self, asked: Json) -> None:
        """``Execute``: an id is in the file before anything is sent."""
        if not asked["id"] or not asked["comment"] or len(asked["comment"]) > 27:
            return
        if asked["id"] in self._done():
            self.report(asked, 0, "seen before")
            return
        if asked["type"] == "cancel":
            self._cancel(asked)
            return
        code, words, request = self._objection(asked)
        with self.done_file.open("a", encoding="ascii") as file:
            file.write(f"{asked['id']}\n")
        if words:
            self.report(asked, code, words)
            return
        self.sends += 1
        result = self.terminal.order_send(request)
        self.report(asked, result.retcode if result else 0, result.comment if result else "error")

    def _done(self) -> set[str]:
        return set(self.done_file.read_text("ascii").split()) if self.done_file.exists() else set()

    def _objection(self, asked: Json) -> tuple[int, str, Json]:
        """``Objection``."""
        if asked["valid_until"] and self._now().timestamp() > asked["valid_until"]:
            return C["TRADE_RETCODE_INVALID"], "too late", {}
        if not self.terminal.terminal.trade_allowed:
            return C["TRADE_RETCODE_CLIENT_DISABLES_AT"], "algorithmic trading is off", {}
        facts, tick = (self.terminal.symbol_info(asked["symbol"]),
                       self.terminal.symbol_info_tick(asked["symbol"]))  # fmt: skip
        if facts is None or tick is None:
            return C["TRADE_RETCODE_INVALID"], "no such symbol", {}
        lots, side = Decimal(asked["lots"]), 0 if asked["side"] == "buy" else 1
        if asked["reduces"]:
            lots = min(lots, self._reducible(asked, side))
        if lots <= 0:
            return C["TRADE_RETCODE_POSITION_CLOSED"], "nothing is left to reduce", {}
        step = Decimal(str(facts.volume_step))
        request: dict[str, Any] = {
            "symbol": asked["symbol"], "magic": self.magic, "comment": asked["comment"],
            "volume": float((lots / step).to_integral_value(ROUND_FLOOR) * step),
            "type_time": C["ORDER_TIME_GTC"],
        }  # fmt: skip
        if asked["type"] == "market":
            return 0, "", request | {
                "action": C["TRADE_ACTION_DEAL"], "type": side, "deviation": 20,
                "price": tick.ask if side == 0 else tick.bid, "position": asked["position"],
                "type_filling": _filling(facts),
            }  # fmt: skip
        level = asked["price"] if asked["type"] == "limit" else asked["stop_price"]
        request |= {
            "action": C["TRADE_ACTION_PENDING"], "type": KINDS[asked["type"], side],
            "type_filling": C["ORDER_FILLING_RETURN"], "price": float(level),
        }  # fmt: skip
        if asked["type"] == "stop_limit":
            request["stoplimit"] = float(asked["price"])
        return 0, "", request

    def _reducible(self, asked: Json, side: int) -> Decimal:
        """``Reducible``: what there is now to be closed."""
        held = [
            each for each in self.terminal.positions_get() or ()
            if (each.ticket == asked["position"] if asked["position"]
                else each.symbol == asked["symbol"]) and each.type != side
        ]  # fmt: skip
        return sum((Decimal(str(each.volume)) for each in held), Decimal(0))

    def _cancel(self, asked: Json) -> None:
        """``Cancel``."""
        for order in self.terminal.orders_get() or ():
            if order.magic == self.magic and order.comment == asked["comment"]:
                self.terminal.order_send(
                    {"action": C["TRADE_ACTION_REMOVE"], "order": order.ticket}
                )
        self.report(asked, 0, "cancel")

    # --- what became of an order ----------------------------------------------------------------

    def report(self, asked: Json, retcode: int, reason: str) -> None:
        """``Report``."""
        status, ticket = self.status(asked["comment"], retcode)
        deals = self.terminal.history_deals_get(ticket=ticket) if ticket else ()
        lots = sum((exact(each.volume) for each in deals), ZERO)
        if lots != self.executed(ticket):
            return  # not all of its deals are listed yet: it is offered again
        value = sum((exact(each.volume) * exact(each.price) for each in deals), ZERO)
        fees = [exact(each.commission) + exact(each.fee) for each in deals]
        body = self.head("execution") | {
            "id": asked["id"], "symbol": asked["symbol"], "side": asked["side"],
            "status": status, "retcode": retcode, "reason": reason, "order": str(ticket),
            "deal": str(deals[-1].ticket if deals else 0), "lots": float(lots),
            "price": float(value / lots) if lots else 0, "commission": float(sum(fees)),
            "deals": [
                {
                    "ticket": str(each.ticket), "lots": each.volume, "price": each.price,
                    "commission": float(fee), "time": self._utc(each.time),
                }
                for each, fee in zip(deals, fees, strict=True)
            ],
            "time": _moment(self._now()),
        }  # fmt: skip
        self.wire.post("/api/trade-execution", json.dumps(body))

    def executed(self, ticket: int) -> Decimal:
        """``Executed``: what an order itself says."""
        world = self.terminal.world
        order = world.orders.get(ticket) or world.done.get(ticket)
        return ZERO if order is None else order.volume - order.left

    def status(self, note: str, retcode: int) -> tuple[str, int]:
        """``Status``: by the terminal's own lists; only where they have nothing by the code."""
        world = self.terminal.world
        for order in world.orders.values():
            if (order.magic, order.comment) == (self.magic, note):
                is_partial = order.state == C["ORDER_STATE_PARTIAL"]
                return "partly_filled" if is_partial else "placed", order.ticket
        for order in reversed(list(world.done.values())):
            if (order.magic, order.comment) == (self.magic, note):
                return STATES.get(order.state, "cancelled"), order.ticket
        return "rejected" if retcode in REFUSALS else "unknown", 0


def _filling(facts: Any) -> int:
    if facts.trade_exemode in (0, 1):
        return C["ORDER_FILLING_FOK"]
    if facts.filling_mode & 2:
        return C["ORDER_FILLING_IOC"]
    return C["ORDER_FILLING_FOK"] if facts.filling_mode & 1 else C["ORDER_FILLING_RETURN"]


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"
