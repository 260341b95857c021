"""Routing over two paper accounts: entries go to the better one, everything else follows them."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal as D
from pathlib import Path

import pytest

from engine.domain.accounts import AccountHealth, FindingKind
from engine.domain.bots import Bot, BotState
from engine.domain.orders import OrderReport, OrderState, Purpose, VenueFill
from engine.domain.positions import PositionSide
from engine.domain.records import KillLevel, ScopeKind
from engine.domain.routes import HOME_FALLBACK, Place, RoutePlan, RoutingConfig
from engine.errors import BrokerUnavailable, ConfigError, Conflict, DataError, NotFound
from engine.services.booking import Terms, book_report
from engine.services.lane_calls import LaneCalls
from engine.services.lanes import account_lane
from engine.services.manual_orders import ManualOrders
from engine.services.places import run_where_it_is
from tests.fakes.market import BTC
from tests.support.two_venues import FAR, LONG, NEAR, OUT, TwoVenues
from tests.unit.samples import config

AT_NEAR, AT_FAR = "paper:near", "paper:far"


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[TwoVenues]:
    deck = TwoVenues(tmp_path)
    yield deck
    deck.close()


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[TwoVenues]:
    deck = TwoVenues(tmp_path, is_durable=True)
    yield deck
    deck.close()


def route_of(deck: TwoVenues) -> RoutePlan:
    """Why the newest entry went where it did."""
    route = deck.orders(Purpose.ENTRY)[-1].routing
    assert route is not None
    return route


def why_not(deck: TwoVenues, market: str) -> str:
    return next(one.excluded for one in route_of(deck).candidates if one.market == market)


def test_an_entry_goes_to_the_better_account_and_its_exit_after_it(deck: TwoVenues) -> None:
    deck.start()
    deck.price(far="99")
    deck.decide(LONG)
    [entry] = deck.orders()
    assert (entry.account_id, entry.symbol, entry.state) == (AT_FAR, "BTCUSDT", OrderState.FILLED)
    assert deck.position is not None
    assert (deck.position.account_id, deck.position.symbol) == (AT_FAR, "BTCUSDT")
    assert (deck.bot.account_id, deck.bot.market) == (AT_FAR, FAR)
    assert deck.bot.config.market == NEAR  # whose candles decide
    deck.price(near="1000", far="110")
    deck.decide(OUT)
    [exit_] = deck.orders(Purpose.EXIT)
    assert (exit_.account_id, exit_.state, exit_.routing) == (AT_FAR, OrderState.FILLED, None)
    [trade] = deck.trades()
    assert (trade.market, trade.account_id, trade.exit_price) == (FAR, AT_FAR, D(110))


def test_the_explanation_is_kept_with_the_order_and_in_the_trace(durable: TwoVenues) -> None:
    deck = durable
    deck.start()
    deck.price(far="99")
    deck.decide(LONG)
    deck.restart()
    route = route_of(deck)
    assert route.chosen == AT_FAR
    assert "far costs least, by 100.00 basis points" in route.reason
    by_market = {one.market: one for one in route.candidates}
    assert (by_market[FAR].price, by_market[NEAR].price) == (D(99), D(100))
    assert by_market[NEAR].is_home
    assert by_market[FAR].free == D(100_000)
    assert by_market[FAR].latency_ms is not None
    assert not by_market[FAR].has_depth
    step = next(one for one in deck.decisions()[-1].trace if one.step == "route")
    assert step.detail == route.reason
    assert step.values["chosen"] == AT_FAR


def test_each_flat_entry_is_weighed_anew_and_comes_home_again(deck: TwoVenues) -> None:
    deck.start()
    deck.price(far="99")
    deck.decide(LONG, OUT)
    deck.price(near="100", far="101")
    deck.decide(LONG)
    assert deck.bot.place is None
    assert [one.account_id for one in deck.orders(Purpose.ENTRY)] == [AT_FAR, AT_NEAR]
    assert deck.position is not None
    assert deck.position.account_id == AT_NEAR


def test_further_entries_of_a_position_stay_where_it_is(deck: TwoVenues) -> None:
    bot = deck.start()
    with deck.books.writing() as writing:
        writing.save_bot(bot.id, config=bot.config.model_copy(update={"max_entries": 2}))
    deck.price(far="99")
    deck.decide(LONG)
    deck.price(near="50")
    deck.decide(LONG)
    assert [one.account_id for one in deck.orders()] == [AT_FAR, AT_FAR]
    assert deck.orders()[-1].routing is None


def test_without_routing_nothing_is_asked_and_nothing_changes(deck: TwoVenues) -> None:
    deck.bots.create(config(market=NEAR, amount=D(1000)), "test")
    deck.bots.start(deck.bot.id, "test")
    deck.settle()
    deck.price(far="1")
    deck.far.is_open.clear()  # whoever asked would hang
    deck.decide(LONG)
    [entry] = deck.orders()
    assert (entry.account_id, entry.routing, deck.bot.place) == (AT_NEAR, None, None)
    assert [one.step for one in deck.decisions()[-1].trace] == [
        "candles", "strategy", "risk", "order desk",
    ]  # fmt: skip
    assert AT_FAR not in deck.books.accounts


def test_a_stop_is_watched_by_the_prices_of_the_account_that_holds_it(deck: TwoVenues) -> None:
    deck.start()
    deck.price(far="99")
    deck.decide(LONG)
    deck.price(near="50")  # far below the stop, elsewhere
    deck.run(deck.watcher.watch)
    assert deck.position is not None
    deck.price(near="100", far="90")
    deck.run(deck.watcher.watch)
    assert deck.position is None
    assert deck.trades()[0].exit_reason == "stop_loss"
    assert deck.orders(Purpose.EXIT)[0].account_id == AT_FAR


def test_the_kill_switch_closes_where_the_position_is(deck: TwoVenues) -> None:
    deck.start()
    deck.price(far="99")
    deck.decide(LONG)
    deck.controls.set(KillLevel.CLOSE_ALL, "test")
    deck.run(deck.supervisor.enforce_kill)
    assert deck.position is None
    assert deck.orders(Purpose.EXIT)[0].account_id == AT_FAR


def test_a_stop_with_close_sells_on_the_account_that_holds_it(deck: TwoVenues) -> None:
    deck.start()
    deck.price(far="99")
    deck.decide(LONG)
    deck.bots.stop(deck.bot.id, "test", close_position=True)
    deck.run(deck.supervisor.reconcile)
    assert deck.bot.state is BotState.STOPPED
    assert (deck.position, deck.trades()[0].account_id) == (None, AT_FAR)


def test_both_accounts_agree_with_their_venues_all_along(deck: TwoVenues) -> None:
    deck.start()
    for intents in ((LONG,), (OUT,)):
        deck.price(far="99")
        deck.decide(*intents)
        deck.clock.advance(61)
        deck.settle()
        for account_id in (AT_NEAR, AT_FAR):
            assert deck.books.accounts[account_id].health is AccountHealth.CLEAN
    assert deck.books.findings == {}


def test_a_restart_finds_the_position_where_it_was_left(durable: TwoVenues) -> None:
    deck = durable
    deck.start()
    deck.price(far="99")
    deck.decide(LONG)
    deck.restart()
    assert deck.bot.place == Place(market=FAR, symbol="BTCUSDT")
    assert deck.books.account_objection(AT_FAR) == "the account has not been reconciled yet"
    deck.settle()
    assert deck.books.account_objection(AT_FAR) is None
    deck.decide(OUT)
    assert (deck.position, deck.trades()[0].account_id) == (None, AT_FAR)


def test_an_account_that_was_not_reconciled_takes_no_routed_entry(deck: TwoVenues) -> None:
    deck.start()
    deck.restart()
    deck.run(deck.supervisor.reconcile)  # which checks the bot's own account only
    deck.price(far="50")
    deck.decide(LONG)
    assert deck.orders()[-1].account_id == AT_NEAR
    assert why_not(deck, FAR) == "the account has not been reconciled yet"


@pytest.mark.parametrize("trouble", ["paused", "link", "finding", "price"])
def test_an_account_in_trouble_is_passed_over_with_the_reason(
    deck: TwoVenues, trouble: str
) -> None:
    deck.start()
    deck.price(far="50")
    if trouble == "paused":
        deck.controls.set(KillLevel.PAUSE_ENTRIES, "me", ScopeKind.ACCOUNT, AT_FAR)
    elif trouble == "link":
        deck.desk.links.failed(AT_FAR, "The venue does not answer.")
    elif trouble == "finding":
        state = deck.books.accounts[AT_FAR]
        denied = state.model_copy(update={"health": AccountHealth.DENIED, "detail": "no key"})
        with deck.books.writing() as writing:
            writing.put_account(denied)
    else:
        deck.far.failure = DataError("The exchange is down.")
    deck.decide(LONG)
    assert deck.orders()[-1].account_id == AT_NEAR
    assert why_not(deck, FAR)
    assert "only one" in route_of(deck).reason


def test_a_market_that_was_removed_is_said_and_holds_up_nobody(
    deck: TwoVenues, monkeypatch: pytest.MonkeyPatch
) -> None:
    deck.start()
    kept = deck.venues.account_of

    def without_far(market_id: str, bot_id: str) -> str:
        if market_id == FAR:
            raise NotFound("There is no market 'far'.")
        return kept(market_id, bot_id)

    monkeypatch.setattr(deck.venues, "account_of", without_far)
    deck.near.add_bar("BTC/USDT", 100, 100, 100, 100)
    deck.settle()
    checked_at = deck.books.accounts[AT_NEAR].checked_at
    assert checked_at == deck.clock.now()
    deck.decide(LONG)
    assert deck.orders()[-1].account_id == AT_NEAR
    assert why_not(deck, FAR) == "there is no such market any more"


def test_a_venue_that_does_not_answer_in_time_is_passed_over(tmp_path: Path) -> None:
    deck = TwoVenues(tmp_path, deadline_s=0.05)
    deck.start()
    deck.price(far="50")
    deck.far.is_open.clear()
    cycles = [lambda intent=intent: deck.cycle(intent) for intent in (LONG, OUT, LONG)]
    deck.run(*cycles)
    first, second = deck.orders(Purpose.ENTRY)
    assert first.account_id == second.account_id == AT_NEAR
    assert [one.routing and one.routing.candidates[-1].excluded for one in (first, second)] == [
        "it did not answer within 0.05 s",
        "it has not answered an earlier question yet",  # no second one is put
    ]
    deck.close()


def test_bots_that_ask_the_same_at_the_same_time_share_one_answer(deck: TwoVenues) -> None:
    bot = deck.start()
    deck.price(far="99")
    asked = deck.far.asked

    async def both() -> list[RoutePlan]:
        deck.far.is_open.clear()
        plans = [
            asyncio.create_task(deck.router.plan(bot, PositionSide.LONG, D(amount)))
            for amount in (10, 20)
        ]
        await asyncio.sleep(0.01)
        deck.far.is_open.set()
        return await asyncio.gather(*plans)

    first, second = asyncio.run(both())
    assert first.chosen == second.chosen == AT_FAR
    assert (first.amount, second.amount) == (10, 20)
    assert deck.far.asked == asked + 1


def test_when_nobody_can_the_own_account_is_kept_and_the_gate_says_why(deck: TwoVenues) -> None:
    deck.start()
    deck.controls.set(KillLevel.PAUSE_ENTRIES, "test")
    deck.decide(LONG)
    assert deck.orders() == []
    step = next(one for one in deck.decisions()[-1].trace if one.step == "route")
    assert step.detail == HOME_FALLBACK
    assert deck.bot.account_id == AT_NEAR


def test_what_waits_on_the_lane_that_a_bot_has_left_does_nothing(deck: TwoVenues) -> None:
    bot = deck.start()
    deck.price(far="99")
    seen: list[str] = []

    async def command_of_before() -> None:
        release = asyncio.Event()
        loop = asyncio.get_running_loop()

        def hold() -> None:
            asyncio.run_coroutine_threadsafe(release.wait(), loop).result(60)

        holding = asyncio.create_task(deck.lanes.run(account_lane(AT_NEAR), hold))
        await asyncio.sleep(0)
        work = run_where_it_is(
            deck.books, deck.lanes, bot, lambda: seen.append(deck.bot.account_id)
        )
        waiting = asyncio.create_task(work)
        await asyncio.sleep(0)
        with deck.books.writing() as writing:
            place = Place(market=FAR, symbol="BTCUSDT")
            writing.save_bot(bot.id, place=place, account_id=AT_FAR)
        release.set()
        await asyncio.gather(holding, waiting)

    asyncio.run(command_of_before())
    assert seen == [AT_FAR]
    deck.desk.advance(bot.id, deck.near)  # nothing of far's is touched with near's prices
    assert deck.orders() == []


def test_a_person_who_was_too_slow_is_told_that_the_bot_has_gone(deck: TwoVenues) -> None:
    bot = deck.start()

    async def close_it() -> None:
        calls = LaneCalls(deck.lanes, asyncio.get_running_loop())
        manual = ManualOrders(deck.books, deck.desk, deck.venues, calls)
        stale: Bot = bot.model_copy(update={"account_id": AT_FAR})
        with pytest.raises(Conflict, match="another account"):
            await asyncio.to_thread(manual._on_lane, stale, lambda: None)

    asyncio.run(close_it())


def test_a_fill_that_comes_late_on_an_account_left_behind_is_nobodys(deck: TwoVenues) -> None:
    deck.start()
    deck.decide(LONG, OUT)  # at near: equal prices
    [entry] = deck.orders(Purpose.ENTRY)
    deck.price(far="90")
    deck.decide(LONG)
    assert deck.bot.account_id == AT_FAR
    before = deck.position
    late = VenueFill(trade_id="late", price=D(100), quantity=D("0.5"), fee_asset="USDT",
                     time=deck.clock.now())  # fmt: skip
    report = OrderReport(
        client_id=entry.client_id, venue_id=entry.venue_id, symbol=entry.symbol, side=entry.side,
        state=OrderState.FILLED, quantity=entry.quantity or D(1), filled=entry.filled + D("0.5"),
        fills=(late,),
    )  # fmt: skip
    book_report(deck.books, entry, report, Terms(BTC))
    assert deck.position == before
    [finding] = deck.books.findings.values()
    assert (finding.account_id, finding.kind) == (AT_NEAR, FindingKind.LATE_FILL)


def test_a_flat_bot_that_is_edited_begins_at_home_again(deck: TwoVenues) -> None:
    deck.start()
    deck.price(far="99")
    deck.decide(LONG, OUT)
    assert deck.bot.account_id == AT_FAR
    deck.bots.stop(deck.bot.id, "test", close_position=False)
    deck.run(deck.supervisor.reconcile)
    deck.bots.edit(deck.bot.id, deck.bot.config.model_copy(update={"routing": None}), "test")
    assert (deck.bot.account_id, deck.bot.place) == (AT_NEAR, None)


def test_a_kept_position_stays_where_it_is_when_its_bot_is_edited(deck: TwoVenues) -> None:
    deck.start()
    deck.price(far="99")
    deck.decide(LONG)
    deck.bots.stop(deck.bot.id, "test", close_position=False)
    deck.run(deck.supervisor.reconcile)
    deck.bots.edit(deck.bot.id, deck.bot.config.model_copy(update={"routing": None}), "test")
    assert deck.bot.account_id == AT_FAR
    deck.bots.start(deck.bot.id, "test")
    deck.settle()
    deck.decide(OUT)
    assert deck.trades()[0].account_id == AT_FAR
    deck.price(far="10")
    deck.decide(LONG)  # with routing off it enters at home again
    assert (deck.bot.account_id, deck.bot.place) == (AT_NEAR, None)
    assert deck.orders()[-1].account_id == AT_NEAR
    assert deck.orders()[-1].routing is None


def test_home_takes_no_entry_before_it_was_reconciled_either(deck: TwoVenues) -> None:
    deck.start()
    deck.price(far="99")
    deck.decide(LONG, OUT)
    deck.restart()
    deck.run(deck.supervisor.reconcile)  # which checks where the bot is
    deck.far.failure = DataError("down")
    deck.decide(LONG)
    assert deck.bot.account_id == AT_NEAR
    assert len(deck.orders(Purpose.ENTRY)) == 1
    assert deck.decisions()[-1].reason.startswith("the account has not been reconciled yet")
    deck.settle()
    deck.decide(LONG)
    assert deck.orders()[-1].account_id == AT_NEAR


@pytest.mark.parametrize(
    ("markets", "why"),
    [
        ((NEAR,), "not the bot's own"),
        ((FAR, FAR), "once"),
        (("nowhere",), "no market"),
    ],
)
def test_markets_that_make_no_sense_are_refused_by_field(
    deck: TwoVenues, markets: tuple[str, ...], why: str
) -> None:
    wanted = config(market=NEAR, amount=D(1000), routing=RoutingConfig(markets=markets))
    with pytest.raises((ConfigError, NotFound), match=why):
        deck.bots.assess(wanted)


def test_a_market_without_the_instrument_is_refused(deck: TwoVenues) -> None:
    wanted = config(
        market=NEAR, symbol="ETH/USDT", amount=D(1000), routing=RoutingConfig(markets=(FAR,))
    )
    deck.near.set_price("ETH/USDT", "10")
    with pytest.raises(ConfigError, match="far does not list ETH in USDT") as caught:
        deck.bots.assess(wanted)
    assert caught.value.field == "routing.markets"


def test_an_entry_that_could_not_be_sent_there_is_not_sent_elsewhere(
    deck: TwoVenues, monkeypatch: pytest.MonkeyPatch
) -> None:
    deck.start()
    deck.price(far="99")

    def down(_request: object) -> OrderReport:
        raise BrokerUnavailable("down for maintenance")

    broker = deck.venues.broker(AT_FAR, deck.far)
    monkeypatch.setattr(broker, "submit", down)
    deck.decide(LONG)
    [entry] = deck.orders()
    assert (entry.account_id, entry.state) == (AT_FAR, OrderState.EXPIRED)
    assert deck.position is None
    deck.decide(LONG)  # a new decision, weighed anew: far's link is down
    assert deck.orders()[-1].account_id == AT_NEAR
