"""Routing on screen: the form's part, the reasons on the Orders tab, the words of the settings."""

from datetime import timedelta
from decimal import Decimal as D

from engine.contracts import Order, OrderState, Purpose, Side
from engine.contracts.routing import RouteCandidate, RoutePlan, RoutingConfig
from panel.bot_settings import routing_words
from panel.routing_form import other_markets
from tests.fakes import sample
from tests.fakes.clock import START
from tests.fakes.services import FakeServices
from tests.pages.conftest import FakeEngine, open_page, words

HOME, OTHER = "paper:simulated", "paper:ccxt:binance"


def route(chosen: str = OTHER) -> RoutePlan:
    candidates = (
        RouteCandidate(market="ccxt:binance", account_id=OTHER, symbol="BTC/USDT", price=D("99.5"),
                       fee_bps=D(10), latency_ms=12.5, age_s=0.2, free=D(5000), score=D("99.6"),
                       has_depth=True),
        RouteCandidate(market="simulated", account_id=HOME, is_home=True,
                       excluded="the account has not been reconciled yet"),
    )  # fmt: skip
    return RoutePlan(side="buy", amount=D(100), chosen=chosen, reason="ccxt:binance costs least",
                     decided_at=START, candidates=candidates)  # fmt: skip


def add_order(services: FakeServices, plan: RoutePlan | None) -> None:
    now = services.now()
    order = Order(
        client_id="qd-routed", bot_id="b0001", account_id=OTHER, symbol="BTC/USDT", side=Side.BUY,
        purpose=Purpose.ENTRY, state=OrderState.OPEN, quantity=D(1), routing=plan,
        decided_at=now - timedelta(seconds=1), created_at=now, updated_at=now,
    )  # fmt: skip
    services.orders_placed[order.client_id] = order


def test_the_reasons_of_a_route_stand_with_its_order(fake_engine: FakeEngine) -> None:
    add_order(fake_engine.services, route())
    app = open_page("bot", {"bot": "b0001", "tab": "Orders"})
    assert not app.exception
    shown = words(app).replace("\\", "")
    assert f"to {OTHER}: ccxt:binance costs least." in shown
    assert f"routed to {OTHER}: ccxt:binance costs least" in shown
    tables = [one.value for one in app.dataframe if "Left out because" in one.value.columns]
    [table] = tables
    assert list(table["Account"]) == [OTHER, HOME]
    assert list(table["Left out because"]) == ["", "the account has not been reconciled yet"]
    assert list(table["Size"]) == ["from its book", ""]
    orders = next(one.value for one in app.dataframe if "Routed because" in one.value.columns)
    assert orders["Routed because"][0] == "ccxt:binance costs least"


def test_without_a_routed_order_nothing_is_said_of_routes(fake_engine: FakeEngine) -> None:
    add_order(fake_engine.services, None)
    app = open_page("bot", {"bot": "b0001", "tab": "Orders"})
    assert not app.exception
    assert not any(one.label.startswith("Routes") for one in app.expander)


def test_other_markets_are_offered_once_asked_for_and_reach_the_engine(
    fake_engine: FakeEngine,
) -> None:
    app = open_page("create")
    assert not any(one.key == "draft_routing_markets" for one in app.multiselect)
    app.checkbox("draft_has_routing").check().run()
    choice = app.multiselect("draft_routing_markets")
    assert "Binance (public prices)" in choice.options
    choice.set_value(["ccxt:binance"])
    app.number_input("draft_routing_fee").set_value(12.5)
    app.text_input("draft_name").set_value("routed")
    app.button("form_save").click().run()
    routing = fake_engine.services.find("routed").config.routing
    assert routing is not None
    assert (routing.markets, routing.max_extra_fee_bps) == (("ccxt:binance",), D("12.5"))


def test_a_choice_without_markets_is_refused_next_to_it(fake_engine: FakeEngine) -> None:
    app = open_page("create")
    app.checkbox("draft_has_routing").check().run()
    assert any("at least 1 item" in one.value for one in app.markdown)


def test_a_bot_that_is_edited_keeps_its_markets(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    bot = services.find("doge-idle")
    config = bot.config.model_copy(
        update={"routing": RoutingConfig(markets=("ccxt:kraken",)), "market": "simulated"}
    )
    services.bots[bot.id] = bot.model_copy(update={"config": config})
    app = open_page("create", {"edit": bot.id})
    assert not app.exception
    assert app.multiselect("draft_routing_markets").value == ["ccxt:kraken"]


def test_a_market_of_another_kind_of_money_or_a_replay_is_not_offered() -> None:
    markets = {one.id: one for one in sample.MARKETS}
    live = sample.MARKETS[1].model_copy(update={"id": "account:mine", "mode": "live"})
    replay = sample.MARKETS[1].model_copy(update={"id": "replay:/x.csv"})
    markets |= {live.id: live, replay.id: replay}
    assert [one.id for one in other_markets(markets, "simulated")] == [
        "ccxt:binance", "ccxt:kraken",
    ]  # fmt: skip
    assert other_markets(markets, "account:mine") == []
    assert other_markets(markets, "replay:/x.csv") == []


def test_settings_say_where_entries_may_go(fake_engine: FakeEngine) -> None:
    config = fake_engine.services.find("doge-idle").config
    assert routing_words(config)[0] == "off"
    routed = config.model_copy(update={"routing": RoutingConfig(markets=("ccxt:binance",))})
    shown, remark = routing_words(routed)
    assert shown.startswith("also to ")
    assert "fee at most 20 bps more" in remark
