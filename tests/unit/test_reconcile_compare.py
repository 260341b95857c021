"""Comparing both sides of an account: every difference is found once, and nothing else is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.domain.accounts import HOUSE, FindingKind
from engine.domain.orders import Execution, Order, OrderReport, OrderState, Purpose, Side
from engine.domain.reconcile import (
    BooksSide,
    Holding,
    LateFill,
    Terms,
    VenueSide,
    compare,
    effect_of,
    finding_id,
)
from tests.fakes.clock import START
from tests.unit.samples import D, instrument

ACCOUNT = "test:venue"
ASSETS = ("BTC", "ETH", "SOL")
INSTRUMENTS = {f"{asset}/USDT": instrument(symbol=f"{asset}/USDT", base=asset) for asset in ASSETS}
QUIET = timedelta(seconds=30)
SOME, FEW = settings(max_examples=60), settings(max_examples=10)

amounts = st.decimals(min_value="0.00000001", max_value="10000", places=8)


def order(client_id: str, **changes: Any) -> Order:
    """An order of a bot's, open since the start."""
    fields: dict[str, Any] = {
        "client_id": client_id, "bot_id": "b1", "account_id": ACCOUNT, "symbol": "BTC/USDT",
        "side": Side.BUY, "purpose": Purpose.ENTRY, "state": OrderState.OPEN, "quantity": D(1),
        "decided_at": START, "created_at": START, "updated_at": START,
    }  # fmt: skip
    return Order(**(fields | changes))


def report(client_id: str, **changes: Any) -> OrderReport:
    """An order as the venue lists it."""
    fields: dict[str, Any] = {
        "client_id": client_id, "venue_id": f"v-{client_id}", "symbol": "BTC/USDT",
        "side": Side.BUY, "state": OrderState.OPEN, "quantity": D(1),
    }  # fmt: skip
    return OrderReport(**(fields | changes))


def trade(number: int, symbol: str, side: Side, quantity: Decimal, price: Decimal) -> Execution:
    """An execution of somebody's own order ``number``."""
    return Execution(
        trade_id=f"t{number}", price=price, quantity=quantity, fee=quantity * price / 1000,
        fee_asset="USDT", time=START, symbol=symbol, side=side, venue_id=f"o{number}",
    )  # fmt: skip


@dataclass
class Sides:
    """Two equal sides, to put differences into."""

    books: dict[str, Decimal]
    venue: dict[str, Decimal]
    holdings: list[Holding] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    reports: list[OrderReport] = field(default_factory=list)
    trades: list[Execution] = field(default_factory=list)
    late: list[LateFill] = field(default_factory=list)
    unsettled: frozenset[str] = frozenset()

    def found(self, shuffle: Callable[[list[Any]], list[Any]] = list) -> list[tuple[str, str]]:
        """Kinds and subjects of what is found, each with its id checked."""
        books = BooksSide(account_id=ACCOUNT, totals=self.books, holdings=shuffle(self.holdings),
                          orders=shuffle(self.orders))  # fmt: skip
        venue = VenueSide(totals=self.venue, open_orders=shuffle(self.reports),
                          trades=shuffle(self.trades), late_fills=shuffle(self.late))  # fmt: skip
        terms = Terms(now=START + timedelta(minutes=5), quiet_period=QUIET,
                      instruments=INSTRUMENTS, unsettled=self.unsettled)  # fmt: skip
        found = compare(books, venue, terms)
        assert [one.id for one in found] == [
            finding_id(ACCOUNT, one.kind, one.subject) for one in found
        ]
        assert len({one.id for one in found}) == len(found)
        assert found == sorted(found, key=lambda one: one.id)
        return [(one.kind.value, one.subject) for one in found]


@st.composite
def equal_sides(draw: st.DrawFn) -> Sides:
    """An account whose two sides agree: bots own a part, some orders work on both sides."""
    held = {asset: draw(amounts) for asset in ASSETS} | {"USDT": draw(amounts)}
    sides = Sides(dict(held), dict(held))
    for asset in ASSETS:
        for number in range(draw(st.integers(0, 3))):
            share = held[asset] * draw(st.integers(0, 33)) / 100
            sides.holdings.append(
                Holding(bot_id=f"b{number}", symbol=f"{asset}/USDT", base=asset, quantity=share)
            )
    for number in range(draw(st.integers(0, 4))):
        sides.orders.append(order(f"qd-{number}"))
        sides.reports.append(report(f"qd-{number}"))
    return sides


@SOME
@given(equal_sides())
def test_equal_sides_show_nothing(sides: Sides) -> None:
    assert sides.found() == []


Draw = Callable[..., Any]


def _balance(sides: Sides, draw: Draw) -> tuple[str, str]:
    sides.venue["USDT"] += draw(amounts)
    return ("balance", "USDT")


def _new_asset(sides: Sides, draw: Draw) -> tuple[str, str]:
    sides.venue["DOGE"] = draw(amounts)
    return ("balance", "DOGE")


def _shortfall(sides: Sides, draw: Draw) -> tuple[str, str]:
    mine = sum((one.quantity for one in sides.holdings if one.base == "ETH"), D(0))
    extra = max(sides.venue["ETH"], D(0)) - mine + draw(amounts)
    sides.holdings.append(Holding(bot_id="b9", symbol="ETH/USDT", base="ETH", quantity=extra))
    return ("shortfall", "ETH")


def _foreign_order(sides: Sides, draw: Draw) -> tuple[str, str]:
    sides.reports.append(report("by-hand"))
    return ("foreign_order", "by-hand")


def _foreign_order_known(sides: Sides, draw: Draw) -> tuple[str, str]:
    sides.reports.append(report("seen-before"))
    sides.orders.append(order("seen-before", bot_id=HOUSE, state=OrderState.EXTERNAL))
    return ("foreign_order", "seen-before")


def _foreign_trade(sides: Sides, draw: Draw) -> tuple[str, str]:
    side = draw(st.sampled_from(list(Side)))
    whole = draw(amounts)
    for number, quantity in enumerate((whole, whole / 2)):
        one = trade(number, "SOL/USDT", side, quantity, draw(amounts))
        sides.trades.append(one.model_copy(update={"venue_id": "hand"}))
    for one in sides.trades:
        for asset, amount in effect_of(one, INSTRUMENTS["SOL/USDT"]).items():
            sides.venue[asset] += amount
    sides.holdings = [one for one in sides.holdings if one.base != "SOL"]
    return ("foreign_trade", "SOL/USDT:hand")


def _unknown_order(sides: Sides, draw: Draw) -> tuple[str, str]:
    state = draw(st.sampled_from([OrderState.SENDING, OrderState.UNKNOWN]))
    sides.orders.append(order("qd-lost", state=state, sent_at=START))
    return ("unknown_order", "qd-lost")


def _late_fill(sides: Sides, draw: Draw) -> tuple[str, str]:
    given_up = order("qd-late", state=OrderState.EXPIRED)
    for number in (1, 2):
        execution = trade(number, "BTC/USDT", Side.BUY, draw(amounts), D(100))
        sides.late.append(LateFill(order=given_up, execution=execution))
    return ("late_fill", "qd-late")


DIFFERENCES = (
    _balance, _new_asset, _shortfall, _foreign_order, _foreign_order_known, _foreign_trade,
    _unknown_order, _late_fill,
)  # fmt: skip


@FEW
@given(equal_sides(), st.data())
def test_every_kind_but_what_cannot_be_read_is_injected(sides: Sides, data: st.DataObject) -> None:
    kinds = {inject(sides, data.draw)[0] for inject in DIFFERENCES}
    assert kinds == {kind.value for kind in FindingKind} - {FindingKind.UNREADABLE.value}


@SOME
@given(equal_sides(), st.lists(st.sampled_from(DIFFERENCES), unique=True), st.data())
def test_every_difference_is_found_once_in_whatever_order_it_comes(
    sides: Sides, chosen: list[Callable[..., tuple[str, str]]], data: st.DataObject
) -> None:
    injected = [inject(sides, data.draw) for inject in chosen]
    assert sides.found() == sorted(injected, key=lambda one: f"{ACCOUNT}:{one[0]}:{one[1]}")
    shuffled = sides.found(lambda items: data.draw(st.permutations(items)))
    assert shuffled == sides.found()


@FEW
@given(equal_sides(), amounts)
def test_an_asset_that_is_not_settled_is_not_judged(sides: Sides, amount: Decimal) -> None:
    sides.venue["BTC"] -= amount
    sides.holdings.append(Holding(bot_id="b9", symbol="BTC/USDT", base="BTC", quantity=D(10**9)))
    assert sides.found() == [("balance", "BTC"), ("shortfall", "BTC")]
    sides.unsettled = frozenset({"BTC"})
    assert sides.found() == []


def test_shorts_are_netted_against_what_other_bots_own() -> None:
    sides = Sides({"BTC": D(1)}, {"BTC": D(1)})
    sides.holdings = [
        Holding(bot_id=f"b{quantity}", symbol="BTC/USDT", base="BTC", quantity=D(quantity))
        for quantity in (3, -2)
    ]
    assert sides.found() == []


def test_an_order_under_way_has_its_quiet_period() -> None:
    sides = Sides({}, {})
    sent = START + timedelta(minutes=5) - QUIET
    sides.orders = [order("qd-1", state=OrderState.UNKNOWN, sent_at=sent)]
    assert sides.found() == []
    sides.orders = [order("qd-1", state=OrderState.UNKNOWN, sent_at=sent - timedelta(seconds=1))]
    assert sides.found() == [("unknown_order", "qd-1")]
