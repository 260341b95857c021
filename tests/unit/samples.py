"""Small complete domain objects for tests; change what matters by keyword."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from engine.domain.bots import Bot, BotConfig, BotState, Desired
from engine.domain.instruments import Instrument
from engine.domain.orders import Purpose, Side
from engine.domain.positions import Fill, Position, PositionSide
from tests.fakes.clock import START

D = Decimal


def instrument(**changes: Any) -> Instrument:
    """BTC/USDT with a cent tick."""
    fields: dict[str, Any] = {
        "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT", "price_tick": D("0.01"),
        "quantity_step": D("0.00001"), "min_notional": D(5), "can_short": True,
    }  # fmt: skip
    return Instrument(**(fields | changes))


def config(**changes: Any) -> BotConfig:
    """An RSI bot on the simulated market."""
    fields: dict[str, Any] = {
        "name": "demo", "market": "simulated", "symbol": "BTC/USDT", "strategy": "rsi",
        "timeframe": "1m", "interval_s": 60, "amount": D(100),
    }  # fmt: skip
    return BotConfig(**(fields | changes))


def bot(bot_config: BotConfig | None = None, **changes: Any) -> Bot:
    """A running bot."""
    fields: dict[str, Any] = {
        "id": "b0000001", "config": bot_config or config(), "account_id": "paper:simulated",
        "state": BotState.RUNNING, "desired": Desired.RUNNING, "created_at": START,
        "updated_at": START,
    }  # fmt: skip
    return Bot(**(fields | changes))


def position(**changes: Any) -> Position:
    """One BTC bought at 100, without a fee."""
    fields: dict[str, Any] = {
        "id": "p1", "bot_id": "b0000001", "account_id": "paper:simulated", "symbol": "BTC/USDT",
        "side": PositionSide.LONG, "quantity": D(1), "entry_quantity": D(1),
        "entry_value": D(100), "entry_count": 1, "best_price": D(100), "opened_at": START,
        "watched_until": START,
    }  # fmt: skip
    return Position(**(fields | changes))


def fill(number: int, **changes: Any) -> Fill:
    """Fill ``number`` of an entry: 1 BTC at 100."""
    fields: dict[str, Any] = {
        "id": f"paper:simulated:t{number}", "account_id": "paper:simulated",
        "trade_id": f"t{number}", "client_id": "qd-b0000001-1-e", "bot_id": "b0000001",
        "position_id": "p1", "symbol": "BTC/USDT", "side": Side.BUY, "purpose": Purpose.ENTRY,
        "price": D(100), "quantity": D(1), "fee": D(0), "fee_asset": "USDT",
        "time": START + timedelta(seconds=number),
    }  # fmt: skip
    return Fill(**(fields | changes))
