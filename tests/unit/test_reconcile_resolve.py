"""What a person decides about a difference is done, audited, and checked again at once."""

from collections.abc import Callable
from decimal import Decimal as D

import pytest

from engine.domain.accounts import (
    AccountHealth,
    Finding,
    FindingKind,
    FindingState,
    LineKind,
    Resolution,
)
from engine.domain.orders import OrderState, OrderType, Purpose, Side
from engine.domain.positions import PositionSide
from engine.errors import ConfigError, Conflict, NotFound
from tests.fakes.broker import VenueFault
from tests.unit.conftest import Room
from tests.unit.samples import config
from tests.unit.test_reconcile import ACCOUNT, Bench

ADOPT, IGNORE, CLOSE = Resolution.ADOPT, Resolution.IGNORE, Resolution.CLOSE


@pytest.fixture
def bench(room: Room) -> Bench:
    """An account found clean, with a bot on ETH beside the one on BTC."""
    bench = Bench(room)
    room.add_bot(id="e0000001", config=config(name="ether", symbol="ETH/USDT"))
    assert bench.check() is AccountHealth.CLEAN
    return bench


def resolve(
    bench: Bench, kind: FindingKind, resolution: Resolution, bot_id: str | None = None
) -> Finding:
    """Decide about the open finding of a kind, as 'ann'."""
    return bench.reconciler.resolve(bench.open[kind].id, resolution, "ann", bot_id)


def health(bench: Bench) -> AccountHealth:
    """As the last check left it."""
    return bench.room.books.accounts[ACCOUNT].health


def audited(bench: Bench) -> list[tuple[str, str]]:
    """Who did what about findings."""
    with bench.room.store.reading() as tx:
        return [(one.actor, one.action) for one in tx.audit.select()
                if one.action.startswith("finding.")]  # fmt: skip


@pytest.mark.parametrize(
    ("asset", "change", "kind"),
    [
        ("USDT", "250.5", LineKind.DEPOSIT),
        ("USDT", "-3", LineKind.WITHDRAWAL),
        ("BTC", "0.25", LineKind.ADJUSTMENT),
    ],
)
def test_an_adopted_balance_becomes_a_line_of_the_ledger(
    bench: Bench, asset: str, change: str, kind: LineKind
) -> None:
    bench.room.enter()
    bench.room.broker.held[asset] += D(change)
    assert bench.check() is AccountHealth.MISMATCH
    found = resolve(bench, FindingKind.BALANCE, ADOPT)
    assert (found.state, found.resolved_by) == (FindingState.ADOPTED, "ann")
    assert health(bench) is AccountHealth.CLEAN
    assert bench.agrees()
    with bench.room.store.reading() as tx:
        line = tx.lines.select(kind=kind)[0]
    assert (line.asset, line.amount) == (asset, D(change))
    assert audited(bench) == [("ann", "finding.adopt")]


def test_an_adopted_shortfall_takes_off_the_position_what_is_not_there(bench: Bench) -> None:
    bench.room.enter()
    bench.room.broker.held["BTC"] = D("0.4")
    bench.check()
    resolve(bench, FindingKind.SHORTFALL, ADOPT)
    assert health(bench) is AccountHealth.CLEAN
    assert bench.open == {}
    assert bench.agrees()
    assert bench.room.books.positions[bench.room.bot.id].quantity == D("0.4")


def test_a_position_of_which_nothing_is_there_ends_as_a_trade(bench: Bench) -> None:
    bench.room.enter()
    bench.room.broker.held["BTC"] = D(0)
    bench.check()
    resolve(bench, FindingKind.SHORTFALL, ADOPT)
    assert bench.room.bot.id not in bench.room.books.positions
    last = bench.room.market.quote("BTC/USDT").last
    [trade] = bench.room.trades()
    assert (trade.exit_reason, trade.exit_price) == ("reconciled", last)
    assert health(bench) is AccountHealth.CLEAN
    assert bench.agrees()


@pytest.mark.parametrize("order", [(FindingKind.BALANCE, FindingKind.SHORTFALL),
                                   (FindingKind.SHORTFALL,)])  # fmt: skip
def test_a_shortfall_and_its_balance_are_settled_in_either_order(
    bench: Bench, order: tuple[FindingKind, ...]
) -> None:
    bench.room.enter()
    bench.room.broker.held["BTC"] -= D("0.3")
    bench.check()
    for kind in order:
        resolve(bench, kind, ADOPT)
    assert bench.open == {}
    assert bench.agrees()
    assert bench.room.books.positions[bench.room.bot.id].quantity == D("0.7")


def test_of_several_owners_a_person_names_the_one_whose_position_is_smaller(bench: Bench) -> None:
    bench.room.enter()
    other = bench.room.add_bot(id="b0000002", config=config(name="second"))
    mine = bench.room.books.positions[bench.room.bot.id]
    bench.foreign("more", quantity=D(2))
    bench.check()
    resolve(bench, FindingKind.FOREIGN_TRADE, ADOPT, other.id)
    bench.room.broker.held["BTC"] = D(2)
    bench.check()
    with pytest.raises(ConfigError, match="whose position"):
        resolve(bench, FindingKind.SHORTFALL, ADOPT)
    resolve(bench, FindingKind.SHORTFALL, ADOPT, other.id)
    assert bench.room.books.positions[other.id].quantity == D(1)
    assert bench.room.books.positions[bench.room.bot.id] == mine
    assert health(bench) is AccountHealth.CLEAN


def test_an_adopted_purchase_is_the_bots_position(bench: Bench) -> None:
    bench.room.broker.fee_rate = D("0.001")
    bench.foreign()
    bench.check()
    resolve(bench, FindingKind.FOREIGN_TRADE, ADOPT, bench.room.bot.id)
    position = bench.room.books.positions[bench.room.bot.id]
    assert (position.side, position.quantity, position.average_price) == (
        PositionSide.LONG, D("0.5"), D(100)
    )  # fmt: skip
    assert position.fees == D("0.05")
    assert position.stop_price == D(98), "it is watched by the bot's own rules"
    assert {fill.bot_id for fill in bench.fills()} == {bench.room.bot.id}
    assert health(bench) is AccountHealth.CLEAN
    bench.restart()
    assert bench.check() is AccountHealth.CLEAN
    bench.room.close()
    assert bench.agrees()


def test_an_adopted_sale_makes_the_bots_position_smaller(bench: Bench) -> None:
    bench.room.enter()
    bench.foreign(side=Side.SELL, quantity=D(1))
    bench.check()
    resolve(bench, FindingKind.FOREIGN_TRADE, ADOPT, bench.room.bot.id)
    assert bench.room.bot.id not in bench.room.books.positions
    assert [trade.exit_reason for trade in bench.room.trades()] == ["adopted"]
    assert health(bench) is AccountHealth.CLEAN


def test_more_than_the_bot_holds_is_not_adopted_and_nothing_changes(bench: Bench) -> None:
    bench.room.enter()
    bench.room.broker.held["BTC"] += 4
    bench.check()
    resolve(bench, FindingKind.BALANCE, ADOPT)
    bench.foreign(side=Side.SELL, quantity=D(3))
    bench.check()
    before = bench.room.books.positions[bench.room.bot.id]
    with pytest.raises(ConfigError, match="More was traded"):
        resolve(bench, FindingKind.FOREIGN_TRADE, ADOPT, bench.room.bot.id)
    assert bench.room.books.positions[bench.room.bot.id] == before
    assert FindingKind.FOREIGN_TRADE in bench.open


def test_an_ignored_trade_stays_nobodys(bench: Bench) -> None:
    bench.foreign()
    bench.check()
    resolve(bench, FindingKind.FOREIGN_TRADE, IGNORE)
    assert health(bench) is AccountHealth.CLEAN
    assert bench.room.books.positions == {}
    assert bench.check() is AccountHealth.CLEAN
    assert bench.agrees()


@pytest.mark.parametrize("side", list(Side))
def test_a_closed_trade_is_undone_at_the_market(bench: Bench, side: Side) -> None:
    bench.foreign(side=side)
    bench.check()
    resolve(bench, FindingKind.FOREIGN_TRADE, CLOSE)
    request = bench.room.broker.requests[-1]
    assert (request.side is side, request.quantity) == (False, D("0.5"))
    assert request.type is OrderType.MARKET
    # To buy back what was sold makes nothing smaller: limits and controls hold for it.
    assert request.reduce_only is (side is Side.BUY)
    assert bench.room.broker.held["BTC"] == 0
    assert health(bench) is AccountHealth.CLEAN
    assert bench.agrees()


def test_no_more_is_sold_than_is_nobodys(bench: Bench) -> None:
    bench.room.enter()
    bench.foreign()
    bench.room.broker.held["BTC"] -= D("0.2")
    bench.check()
    resolve(bench, FindingKind.BALANCE, ADOPT)
    resolve(bench, FindingKind.FOREIGN_TRADE, CLOSE)
    assert bench.room.broker.requests[-1].quantity == D("0.3")
    assert bench.room.broker.held["BTC"] == D(1), "what the bot owns is left alone"


def test_an_adopted_order_is_followed_as_the_bots_entry(bench: Bench) -> None:
    bench.foreign("resting", type=OrderType.LIMIT, price=D(90), quantity=D(1))
    bench.room.broker.fill("resting", D("0.25"))
    bench.check()
    resolve(bench, FindingKind.FOREIGN_ORDER, ADOPT, bench.room.bot.id)
    [order] = bench.room.books.working_orders(bench.room.bot.id)
    assert (order.purpose, order.state) == (Purpose.ENTRY, OrderState.PARTLY_FILLED)
    assert bench.room.books.working_orders("") == []
    assert bench.room.books.positions[bench.room.bot.id].quantity == D("0.25")
    bench.room.broker.fill("resting")
    bench.room.advance(1)
    assert bench.room.books.positions[bench.room.bot.id].quantity == D(1)
    assert bench.check() is AccountHealth.MISMATCH, "its trade is still to be looked at"
    bench.restart()
    bench.check()
    assert bench.agrees()


def test_an_adopted_sale_order_rests_as_the_positions_protection(bench: Bench) -> None:
    bench.room.enter()
    bench.foreign("target", type=OrderType.LIMIT, side=Side.SELL, price=D(120), quantity=D(1))
    bench.check()
    resolve(bench, FindingKind.FOREIGN_ORDER, ADOPT, bench.room.bot.id)
    [order] = bench.room.books.working_orders(bench.room.bot.id)
    assert (order.purpose, order.position_id) == (
        Purpose.PROTECTION, bench.room.books.positions[bench.room.bot.id].id
    )  # fmt: skip
    bench.room.broker.trigger("target")
    bench.room.advance(1)
    assert bench.room.bot.id not in bench.room.books.positions
    assert bench.check() is AccountHealth.CLEAN


def test_a_foreign_order_is_taken_back_when_that_is_wanted(bench: Bench) -> None:
    bench.foreign("resting", type=OrderType.LIMIT, price=D(90))
    bench.check()
    resolve(bench, FindingKind.FOREIGN_ORDER, CLOSE)
    assert bench.room.broker.orders["resting"].state is OrderState.CANCELLED
    assert bench.room.orders()[0].state is OrderState.CANCELLED


def test_an_ignored_order_is_not_asked_about_again(bench: Bench) -> None:
    bench.foreign("resting", type=OrderType.LIMIT, price=D(90))
    bench.check()
    resolve(bench, FindingKind.FOREIGN_ORDER, IGNORE)
    assert bench.check() is AccountHealth.CLEAN
    assert bench.open == {}
    bench.room.broker.fill("resting")
    assert bench.check() is AccountHealth.MISMATCH, "what it fills is a trade to be looked at"


def test_an_unknown_order_is_let_go_after_a_last_look(bench: Bench) -> None:
    broker = bench.room.broker
    broker.faults.append(VenueFault.INVISIBLE)
    broker.hides_trades = True
    bench.room.enter()
    for _ in range(2):
        bench.check(31)
    resolve(bench, FindingKind.UNKNOWN_ORDER, CLOSE)
    assert bench.room.orders()[0].state is OrderState.EXPIRED
    assert FindingKind.BALANCE in bench.open, "what it did is still there to be explained"
    broker.reveal()
    bench.check()
    assert set(bench.open) == {FindingKind.LATE_FILL}
    resolve(bench, FindingKind.LATE_FILL, IGNORE)
    assert bench.open == {}
    assert health(bench) is AccountHealth.CLEAN
    assert bench.agrees()


def test_an_order_that_the_venue_has_after_all_is_not_let_go(bench: Bench) -> None:
    broker = bench.room.broker
    broker.faults.append(VenueFault.INVISIBLE)
    broker.hides_trades = True
    bench.room.enter()
    for _ in range(2):
        bench.check(31)
    broker.reveal()
    with pytest.raises(Conflict, match="after all"):
        resolve(bench, FindingKind.UNKNOWN_ORDER, CLOSE)
    assert bench.room.orders()[0].state is OrderState.FILLED


@pytest.mark.parametrize(
    ("kind", "resolution", "bot_id", "words"),
    [
        (FindingKind.BALANCE, IGNORE, None, "makes no sense"),
        (FindingKind.BALANCE, CLOSE, None, "makes no sense"),
        (FindingKind.SHORTFALL, IGNORE, None, "makes no sense"),
        (FindingKind.SHORTFALL, ADOPT, "e0000001", "holds no BTC"),
        (FindingKind.FOREIGN_TRADE, ADOPT, None, "Choose the bot"),
        (FindingKind.FOREIGN_TRADE, ADOPT, "e0000001", "trades ETH/USDT"),
        (FindingKind.FOREIGN_ORDER, ADOPT, None, "Choose the bot"),
        (FindingKind.FOREIGN_ORDER, ADOPT, "b0000001", "larger than what the bot holds"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    bench: Bench, kind: FindingKind, resolution: Resolution, bot_id: str | None, words: str
) -> None:
    bench.room.enter()
    bench.foreign()
    bench.foreign("big", type=OrderType.LIMIT, side=Side.SELL, price=D(120), quantity=D(9))
    bench.room.broker.held["BTC"] -= 1
    bench.check()
    before = bench.room.books.findings
    with pytest.raises(ConfigError, match=words):
        resolve(bench, kind, resolution, bot_id)
    assert bench.room.books.findings == before
    assert audited(bench) == []


def test_a_finding_is_decided_once(bench: Bench) -> None:
    bench.foreign()
    bench.check()
    key = bench.open[FindingKind.FOREIGN_TRADE].id
    resolve(bench, FindingKind.FOREIGN_TRADE, IGNORE)
    with pytest.raises(Conflict, match="ignored already"):
        bench.reconciler.resolve(key, IGNORE, "bob", None)
    with pytest.raises(NotFound):
        bench.reconciler.resolve("nothing", IGNORE, "bob", None)


@pytest.mark.parametrize(
    "gone",
    [
        lambda bench: bench.room.broker.cancel("resting", "BTC/USDT"),
        lambda bench: bench.room.broker.fill("resting"),
    ],
)
def test_an_order_that_is_gone_is_not_adopted(
    bench: Bench, gone: Callable[[Bench], object]
) -> None:
    bench.foreign("resting", type=OrderType.LIMIT, price=D(90))
    bench.check()
    gone(bench)
    with pytest.raises(Conflict, match="does not work"):
        resolve(bench, FindingKind.FOREIGN_ORDER, ADOPT, bench.room.bot.id)
