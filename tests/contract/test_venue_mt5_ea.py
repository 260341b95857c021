"""An account with an Expert Advisor: what a test of it finds, and what happens when requests,
answers, terminal or engine get lost on the way."""

from decimal import Decimal as D
from pathlib import Path

import pytest

from engine.adapters.brokers.venues import find_adapters
from engine.domain.orders import OrderState, OrderType, Side
from engine.domain.venue_accounts import Grade, Mode
from engine.errors import BrokerUnavailable, ConfigError, OrderStateUnknown
from engine.ports import AccountAccess
from tests.contract.ea_venue import EaVenue, ea_venue
from tests.fakes.expert_advisor import ExpertAdvisor


@pytest.fixture
def venue(tmp_path: Path) -> EaVenue:
    return ea_venue(tmp_path)


@pytest.fixture
def hedging(tmp_path: Path) -> EaVenue:
    return ea_venue(tmp_path, is_hedging=True)


def restarted(venue: EaVenue) -> ExpertAdvisor:
    """The terminal is started again: another advisor over the same file."""
    old = venue.advisor
    return ExpertAdvisor(
        venue.stand_in, venue.wire, old.done_file, magic=old.magic, symbols=old.symbols
    )


def test_it_is_opened_from_its_form_and_finds_all_well(venue: EaVenue) -> None:
    adapter = find_adapters()["mt5_ea"]
    options = adapter.check_options({"login": venue.link.account, "positions": "netting"})
    access = AccountAccess("test:ea", "account:ea", Mode.TEST, options, {}, venue.clock,
                           terminals=venue.bridge.terminals)  # fmt: skip
    connection = adapter.open(access)
    found = connection.inspect()
    assert found.is_usable
    assert {check.grade for check in found.checks} == {Grade.OK}
    assert found.balances == {"USD": venue.stand_in.world.equity()}
    assert connection.broker.balances() == venue.broker.balances()
    assert connection.market.market_id == "account:ea"


def test_without_an_engine_that_hears_it_cannot_be_opened(venue: EaVenue) -> None:
    adapter = find_adapters()["mt5_ea"]
    options = adapter.check_options({"login": 1})
    with pytest.raises(ConfigError, match="running engine"):
        adapter.open(AccountAccess("test:ea", "account:ea", Mode.TEST, options, {}, venue.clock))


def test_a_silent_advisor_fails_the_test_of_the_account_with_advice(venue: EaVenue) -> None:
    venue.clock.advance(61)
    found = venue.inspector().inspect()
    assert not found.is_usable
    failed = [check for check in found.checks if check.grade is Grade.FAILED]
    assert [check.name for check in failed] == ["Expert Advisor", "Account", "Permissions"]
    assert all("silent since" in check.detail and check.advice for check in failed)
    assert found.balances == {}


# --- lost on the way -----------------------------------------------------------------------------


def test_row_30_metatrader_a_lost_answer_is_one_order(venue: EaVenue) -> None:
    """The advisor's reports arrive, the engine's answers do not: it tells again and again."""
    venue.wire.loses_answers = True
    report = venue.rest()
    assert report.state is OrderState.OPEN
    assert venue.advisor.sends == 0, "the offer itself was an answer that got lost"
    venue.wire.loses_answers = False
    for _ in range(4):
        venue.step()
    assert venue.advisor.sends == 1
    assert len(venue.stand_in.world.orders) == 1


def test_row_30_metatrader_a_replayed_offer_is_not_executed_again(venue: EaVenue) -> None:
    """The report got lost, and the terminal was started again meanwhile."""
    sent = venue.wire.post
    venue.wire.post = lambda path, body: None  # type: ignore[method-assign]
    report = venue.buy()
    assert report.state is OrderState.OPEN
    assert venue.advisor.sends == 1
    venue.wire.post = sent  # type: ignore[method-assign]
    again = restarted(venue)
    again.tick()
    again.tick()
    assert again.sends == 0
    found = venue.found()
    assert (found.state, len(found.fills)) == (OrderState.FILLED, 1)
    assert venue.held("BTC") == found.filled


def test_an_order_is_told_only_with_all_of_its_deals(venue: EaVenue) -> None:
    """The terminal lists a deal a moment later than it says that the order is filled."""
    venue.stand_in.world.hidden_deals = 3
    report = venue.buy()
    assert (report.state, len(report.fills)) == (OrderState.FILLED, 1)
    told = [body for path, body in venue.wire.sent if path == "/api/trade-execution"]
    assert [body["status"] for body in told] == ["filled"]
    assert venue.stand_in.world.hidden_deals == 0, "it was looked at before"


def test_a_terminal_that_crashed_before_sending_is_asked_and_let_go(venue: EaVenue) -> None:
    """The id is in the file, and no order in its lists: the engine asks, and never sends again."""
    venue.advisor.is_off = True
    assert venue.rest().state is OrderState.OPEN
    [offer] = venue.bridge.desk.offers(venue.link.account, venue.link.magic)
    venue.advisor.done_file.write_text(f"{offer['id']}\n")
    venue.advisor.is_off = False
    venue.advisor.tick()
    with pytest.raises(OrderStateUnknown, match="cannot say yet"):
        venue.broker.find_order("a", venue.symbol)
    for _ in range(2):
        venue.step()
    assert venue.found().state is OrderState.EXPIRED
    assert venue.advisor.sends == 0
    assert venue.rest().state is OrderState.EXPIRED, "the same id is the same order, for ever"


def test_an_entry_expires_while_nobody_fetches_it_and_an_exit_waits(venue: EaVenue) -> None:
    held = venue.buy("held")
    venue.advisor.is_off = True
    entry = venue.rest("entry")
    leave = venue.ask("exit", Side.SELL, quantity=held.filled, reduce_only=True)
    assert (entry.state, leave.state) == (OrderState.OPEN, OrderState.OPEN)
    venue.clock.advance(61)
    assert venue.found("entry").state is OrderState.EXPIRED
    assert "did not fetch" in venue.found("entry").reason
    assert venue.found("exit").state is OrderState.OPEN
    with pytest.raises(BrokerUnavailable, match="silent"):
        venue.ask("another", quantity=held.filled)
    venue.advisor.is_off = False
    venue.advisor.tick()
    assert venue.found("exit").state is OrderState.FILLED
    assert venue.held("BTC") == 0


def test_a_cancel_that_overtakes_its_order_leaves_nothing_behind(venue: EaVenue) -> None:
    """Fetched, but the answer with the order got lost; then it is wanted back."""
    venue.wire.loses_answers = True
    venue.rest()
    assert venue.broker.cancel("a", venue.symbol).state is OrderState.OPEN, "not certain yet"
    venue.wire.loses_answers = False
    venue.advisor.tick()
    assert venue.found().state is OrderState.REJECTED
    assert "too late" in venue.found().reason
    assert (venue.advisor.sends, venue.stand_in.world.orders) == (0, {})


def test_an_exit_never_turns_a_position_round(venue: EaVenue) -> None:
    """Somebody closed half of it by hand since the advisor has told its positions."""
    held = venue.buy("held").filled
    world = venue.stand_in.world
    told = venue.advisor.send_prices
    venue.advisor.send_prices = lambda symbol: None  # type: ignore[method-assign]
    [position] = world.positions.values()
    position.volume /= 2
    left = position.volume
    sold = venue.ask("out", Side.SELL, quantity=held, reduce_only=True)
    venue.advisor.send_prices = told  # type: ignore[method-assign]
    assert (sold.state, sold.filled) == (OrderState.FILLED, left)
    assert world.positions == {}


def test_hedged_positions_are_closed_by_their_tickets_oldest_first(hedging: EaVenue) -> None:
    first, second = hedging.buy("one").filled, hedging.buy("two").filled
    sold = hedging.ask("out", Side.SELL, quantity=first + second / 2, reduce_only=True)
    assert sold.filled == first + second / 2
    assert len(sold.fills) == 2
    [left] = hedging.stand_in.world.positions.values()
    assert left.comment.startswith("two")
    parts = hedging.bridge.terminals.parts("test:ea", "out")
    assert [part.comment for part in parts] == ["out/12", "out/22"]


def test_positions_of_symbols_that_are_not_pushed_are_counted_in_lots(hedging: EaVenue) -> None:
    stand_in = hedging.stand_in
    hedging.advisor.symbols = (*hedging.advisor.symbols, "USDJPY")
    hedging.advisor.tick()
    request = hedging.request("yen", Side.BUY, quantity=D(20_000)).model_copy(
        update={"symbol": "USDJPY"}
    )
    assert hedging.broker.submit(request).filled == D(20_000)
    assert hedging.broker.balances()["USDJPY"].total == D(20_000)
    for position in stand_in.world.positions.values():
        position.symbol = "#AAPL"
    hedging.advisor.tick()
    assert hedging.broker.balances()["#AAPL"].total == D("0.2")


def test_a_stop_rests_at_the_broker_of_a_netting_account(venue: EaVenue) -> None:
    held = venue.buy("held").filled
    stop = venue.near("0.99")
    fields = {"type": OrderType.STOP, "stop_price": stop, "quantity": held}
    assert venue.ask("stop", Side.SELL, reduce_only=True, **fields).state is OrderState.OPEN
    venue.advisor.is_off = True  # the engine hears nothing while it works
    venue.clock.advance(20)
    venue.stand_in.world.set_price(venue.symbol, stop - 1)
    venue.advisor.is_off = False
    venue.advisor.tick()
    assert venue.found("stop").state is OrderState.FILLED
    assert venue.held("BTC") == 0
