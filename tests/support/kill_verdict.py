"""Nothing lost, nothing doubled: what the exchange has done and what the database says of it.

Both are read by themselves, without the engine: the exchange's own records, and the tables.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from tests.fakes.exchange import BinanceExchange
from tests.fakes.exchange.records import Order, Trade
from tests.support.books import rows, total
from tests.support.kill_script import AMOUNT, BEGIN, CANDLE

ZERO = Decimal(0)
OURS = "qd-"
MOST_SLIPPAGE = Decimal("1.06")
"""What is late is filled at another price than it was sized by; the script moves them by 5%."""

OVER = ("filled", "cancelled", "rejected", "expired")


class Figures(NamedTuple):
    """What there was to lose or to double."""

    signals: int
    orders: int
    fills: int
    entries: int
    exits: int
    protections: int


class Verdict:
    """Compares; every ``check_`` raises AssertionError with what is wrong."""

    def __init__(self, data: Path, exchange: BinanceExchange) -> None:
        self._exchange = exchange
        self.accepted = [one for one in exchange.orders if one.client_id.startswith(OURS)]
        self.trades: dict[str, list[Trade]] = defaultdict(list)
        names = {one.id: one.client_id for one in exchange.orders}
        for trade in exchange.trades:
            self.trades[names[trade.order_id]].append(trade)
        self.orders = {row["client_id"]: row for row in rows(data, "SELECT * FROM orders")}
        self.fills = rows(data, "SELECT * FROM fills")
        self._data = data

    def check(self) -> Figures:
        """All of it."""
        self.check_orders()
        self.check_fills()
        self.check_signals()
        self.check_holdings()
        self.check_balances()
        self.check_positions()
        self.check_nothing_is_left()
        purposes = Counter(self.orders[one.client_id]["purpose"] for one in self.accepted)
        until = [row["decided_until"] for row in rows(self._data, "SELECT * FROM bots")]
        signals = sum((datetime.fromisoformat(one) - BEGIN) // CANDLE for one in until)
        return Figures(
            signals, len(self.accepted), len(self.fills),
            purposes["entry"], purposes["exit"], purposes["protection"],
        )  # fmt: skip

    def check_orders(self) -> None:
        """What the exchange took is in the books, once, and as much of it is filled."""
        times = Counter(one.client_id for one in self.accepted)
        assert set(times.values()) <= {1}, [one for one in times.items() if one[1] > 1]
        assert len(self.accepted) == len(self._exchange.orders), "orders of somebody else's"
        for one in self.accepted:
            assert one.client_id in self.orders, f"lost: {one.client_id}"
            row = self.orders[one.client_id]
            assert Decimal(row["filled"]) == one.executed, one.client_id
            assert row["side"].upper() == one.side, one.client_id
        unsent = set(self.orders) - set(times)
        filled = [one for one in unsent if Decimal(self.orders[one]["filled"])]
        assert not filled, f"filled in the books only: {filled}"

    def check_fills(self) -> None:
        """Every execution is a fill of its order, to the last digit; there are no others."""
        booked = sorted(
            (row["client_id"], row["trade_id"], *map(Decimal, (row["price"], row["quantity"],
             row["fee"])), row["fee_asset"])
            for row in self.fills
        )  # fmt: skip
        done = sorted(
            (client_id, f"{one.symbol}-{one.id}", one.price, one.quantity, one.commission,
             one.commission_asset)
            for client_id, trades in self.trades.items() for one in trades
        )  # fmt: skip
        assert booked == done

    def check_signals(self) -> None:
        """A signal is one entry, of no more than was asked for, and its outcome is known."""
        spent: dict[str, Decimal] = defaultdict(lambda: ZERO)
        sent: dict[str, list[Order]] = defaultdict(list)
        for one in self.accepted:
            row = self.orders[one.client_id]
            if row["purpose"] == "entry":
                sent[_signal(one.client_id)].append(one)
                spent[_signal(one.client_id)] += _value(self.trades[one.client_id])
        for signal, orders in sent.items():
            assert spent[signal] <= AMOUNT * MOST_SLIPPAGE, f"{signal} spent {spent[signal]}"
            alive = [one.client_id for one in orders if one.executed == one.quantity]
            assert len(alive) <= 1, f"{signal} was entered {len(alive)} times: {alive}"
        for row in rows(self._data, "SELECT * FROM decisions WHERE action = 'enter_long'"):
            candle = int(datetime.fromisoformat(row["candle_time"]).timestamp())
            assert f"qd-{row['bot_id']}-{candle}-e" in self.orders, f"decided and lost: {row}"

    def check_holdings(self) -> None:
        """At no moment has a bot sold more than it had bought."""
        held: dict[str, Decimal] = defaultdict(lambda: ZERO)
        names = {one.id: one.client_id for one in self.accepted}
        for trade in self._exchange.trades:
            bot_id = names[trade.order_id].split("-")[1]
            if trade.side == "BUY":
                fee = trade.commission if trade.commission_asset == trade.base else ZERO
                held[bot_id] += trade.quantity - fee
            else:
                held[bot_id] -= trade.quantity
            assert held[bot_id] >= 0, f"{bot_id} sold {-held[bot_id]} too much, last {trade}"

    def check_balances(self) -> None:
        """Per asset: lines and fills make up what the exchange holds, exactly."""
        books: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for row in rows(self._data, "SELECT asset, amount FROM account_lines"):
            books[row["asset"]] += Decimal(row["amount"])
        for row in self.fills:
            sign = 1 if row["side"] == "buy" else -1
            quantity, price = Decimal(row["quantity"]), Decimal(row["price"])
            books[row["base"]] += sign * quantity
            books[row["quote"]] -= sign * quantity * price
            books[row["fee_asset"]] -= Decimal(row["fee"])
        for asset in {*books, *self._exchange.deposits}:
            assert books[asset] == self._exchange.balance(asset), asset
        assert self._exchange.imbalance() == {}

    def check_positions(self) -> None:
        """A position is the sum of its fills; nothing was traded for nobody."""
        assert not [row for row in self.fills if not row["bot_id"]]
        for row in rows(self._data, "SELECT * FROM positions"):
            own = [fill for fill in self.fills if fill["position_id"] == row["id"]]
            assert not row["is_open"]
            assert _owned(own) == Decimal(row["quantity"]) + Decimal(row["dust"]), row["id"]

    def check_nothing_is_left(self) -> None:
        """No order at work on either side, no fate unknown, no finding, and the account clean."""
        assert not [one for one in self._exchange.orders if one.is_open]
        at_work = [row for row in self.orders.values() if row["state"] not in OVER]
        assert not at_work, at_work
        assert not rows(self._data, "SELECT * FROM findings WHERE state = 'open'")
        [account] = rows(self._data, "SELECT health FROM accounts")
        assert account["health"] == "clean"


def _signal(client_id: str) -> str:
    """An order and those that replaced it come of one signal."""
    return client_id.partition(".")[0]


def _value(trades: Iterable[Trade]) -> Decimal:
    return sum((one.price * one.quantity for one in trades), ZERO)


def _owned(fills: list[dict[str, Any]]) -> Decimal:
    bought, sold = ([row for row in fills if row["side"] == side] for side in ("buy", "sell"))
    fees = total([row for row in fills if row["fee_asset"] == row["base"]], "fee")
    return total(bought, "quantity") - total(sold, "quantity") - fees
