"""An account at a terminal, put together."""

import time
from collections.abc import Callable

from engine.adapters.brokers.mt5.broker import Mt5Broker
from engine.adapters.brokers.mt5.inspection import Inspector
from engine.adapters.brokers.mt5.market import Mt5Market
from engine.adapters.brokers.mt5.options import TerminalOptions
from engine.adapters.brokers.mt5.server_time import ServerTime
from engine.adapters.brokers.mt5.session import Login, Session
from engine.adapters.brokers.mt5.terminal import Terminal
from engine.ports import AccountAccess, VenueConnection


def connect(
    access: AccountAccess, options: TerminalOptions, terminal: Terminal,
    *, sleep: Callable[[float], None] = time.sleep,
) -> VenueConnection:  # fmt: skip
    """Nothing is asked of the terminal before it is needed."""
    login = Login(
        number=options.login,
        server=options.server,
        mode=access.mode,
        is_hedging=options.positions == "hedging",
        password=access.secrets.get("password", ""),
    )
    session = Session(terminal, login, access.clock.monotonic)
    market = Mt5Market(
        access.market_id, session, ServerTime(options.server_zone, access.clock), access.clock,
        suffix=options.suffix,
    )  # fmt: skip
    broker = Mt5Broker(
        access.account_id, session, market,
        magic=options.magic, deviation=options.deviation, sleep=sleep,
    )  # fmt: skip
    inspector = Inspector(session, market, sleep)
    return VenueConnection(market, broker, inspector.inspect, session.close)
