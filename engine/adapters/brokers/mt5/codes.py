"""MetaTrader's numbers and what they mean for an order: an allowlist; what is not in it is unknown.

The numbers are those of the package MetaTrader5 5.0.6231; they are written down here because it
exists on Windows only. Meanings after "Return codes of the trade server" of MQL5's reference.
"""

from enum import StrEnum
from typing import NamedTuple

from engine.domain.orders import OrderState, OrderType, Side

DEAL, PENDING, REMOVE = 1, 5, 8  # TRADE_ACTION_
BUY, SELL = 0, 1  # ORDER_TYPE_, POSITION_TYPE_ and DEAL_TYPE_ alike
ORDER_TYPES = {
    (OrderType.MARKET, Side.BUY): BUY,
    (OrderType.MARKET, Side.SELL): SELL,
    (OrderType.LIMIT, Side.BUY): 2,
    (OrderType.LIMIT, Side.SELL): 3,
    (OrderType.STOP, Side.BUY): 4,
    (OrderType.STOP, Side.SELL): 5,
    (OrderType.STOP_LIMIT, Side.BUY): 6,
    (OrderType.STOP_LIMIT, Side.SELL): 7,
}
KINDS = {number: kind for kind, number in ORDER_TYPES.items()}
CLOSE_BY = 8  # the only other type: a position closed by another
STATES = {
    0: OrderState.OPEN,  # started
    1: OrderState.OPEN,  # placed
    2: OrderState.CANCELLED,
    3: OrderState.PARTLY_FILLED,
    4: OrderState.FILLED,
    5: OrderState.REJECTED,
    6: OrderState.EXPIRED,
    7: OrderState.OPEN,  # being added
    8: OrderState.OPEN,  # being changed
    9: OrderState.OPEN,  # being deleted
}
FILL_FOK, FILL_IOC, FILL_RETURN = 0, 1, 2  # ORDER_FILLING_
MAY_FOK, MAY_IOC = 1, 2  # bits of symbol_info.filling_mode
LAST_GTC, LAST_DAY = 0, 1  # ORDER_TIME_
REQUEST, INSTANT, MARKET, EXCHANGE = 0, 1, 2, 3  # SYMBOL_TRADE_EXECUTION_
TRADE_DISABLED, LONG_ONLY, SHORT_ONLY, CLOSE_ONLY, FULL = 0, 1, 2, 3, 4  # SYMBOL_TRADE_MODE_
FOREX_MODES = frozenset({0, 5})  # SYMBOL_CALC_MODE_FOREX, _FOREX_NO_LEVERAGE
STOCK_MODES = frozenset({32, 38})  # _EXCH_STOCKS, _EXCH_STOCKS_MOEX
DEMO, CONTEST, REAL = 0, 1, 2  # ACCOUNT_TRADE_MODE_
HEDGING = 2  # ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
TIMEFRAMES = {"1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 1 | 0x4000}

PLACED, DONE, DONE_PARTIAL = 10008, 10009, 10010
ACCEPTED = frozenset({PLACED, DONE, DONE_PARTIAL})
INVALID_PARAMS, AUTH_FAILED, TRADING_OFF = -2, -6, -8
NO_TERMINAL = frozenset({-10000, -10001, -10002, -10003, -10004, -10005})
"""``last_error`` codes of a terminal that is not there (any more): it is connected to anew."""
PAUSE_S = 5.0
ALGO_TRADING = (
    "switch on 'Algo Trading' in the terminal's toolbar, and under Tools > Options > Expert "
    "Advisors allow trading through the Python API"
)


class Verdict(StrEnum):
    """What a return code says for certain."""

    REJECTED = "refused for certain"
    RULES = "refused for certain, by a rule of the symbol: its listing may have changed"
    NO_FUNDS = "refused for certain for lack of margin"
    DENIED = "the account may not trade"
    PAUSE = "refused unread: ask less often"
    UNKNOWN = "nothing"


class Complaint(NamedTuple):
    """A return code, understood."""

    verdict: Verdict
    sentence: str


_REFUSALS: dict[int, Complaint] = {
    10004: Complaint(Verdict.REJECTED, "the price has moved (requote)"),
    10006: Complaint(Verdict.REJECTED, "the broker refused it"),
    10013: Complaint(Verdict.REJECTED, "the request is not valid"),
    10014: Complaint(Verdict.RULES, "the volume is not one that this symbol trades"),
    10015: Complaint(
        Verdict.REJECTED, "the price is on the wrong side of the market, or too near to it"
    ),
    10016: Complaint(Verdict.RULES, "the stop is on the wrong side of the market, or too near"),
    10017: Complaint(Verdict.REJECTED, "trading of this symbol is disabled by the broker"),
    10018: Complaint(Verdict.REJECTED, "the market is closed"),
    10019: Complaint(Verdict.NO_FUNDS, "there is not enough free margin"),
    10020: Complaint(Verdict.REJECTED, "the price has changed"),
    10021: Complaint(Verdict.REJECTED, "there are no prices of this symbol now"),
    10022: Complaint(Verdict.RULES, "the symbol takes no orders that last so long"),
    10024: Complaint(Verdict.PAUSE, "there are too many requests"),
    10026: Complaint(Verdict.DENIED, "the broker's server forbids automatic trading: ask them"),
    10027: Complaint(Verdict.DENIED, f"automatic trading is off: {ALGO_TRADING}"),
    10029: Complaint(Verdict.REJECTED, "the order or position is too near the market to change"),
    10030: Complaint(Verdict.RULES, "the symbol does not take this way of filling"),
    10032: Complaint(Verdict.REJECTED, "that is for real accounts only"),
    10033: Complaint(Verdict.REJECTED, "the account has as many pending orders as it may"),
    10034: Complaint(Verdict.REJECTED, "the volume of orders and positions is at its limit"),
    10035: Complaint(Verdict.REJECTED, "the type of order is not allowed here"),
    10036: Complaint(Verdict.REJECTED, "the position is closed already"),
    10038: Complaint(Verdict.REJECTED, "more would be closed than the position has"),
    10039: Complaint(Verdict.REJECTED, "an order to close the position is there already"),
    10040: Complaint(Verdict.REJECTED, "the account has as many positions as it may"),
    10042: Complaint(Verdict.REJECTED, "this symbol can only be bought"),
    10043: Complaint(Verdict.REJECTED, "this symbol can only be sold"),
    10044: Complaint(Verdict.REJECTED, "positions of this symbol can only be closed"),
    10045: Complaint(Verdict.REJECTED, "older positions have to be closed first"),
}
# Not listed, so unknown: 10007 (cancelled by the dealer), 10011 (error), 10012 (timeout),
# 10023 (changed), 10028 (locked), 10031 (no connection), and whatever is new.


def judge(retcode: int) -> Complaint:
    """What a return code that is not in ``ACCEPTED`` says of the order."""
    return _REFUSALS.get(retcode, Complaint(Verdict.UNKNOWN, f"return code {retcode}"))
