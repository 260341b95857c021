"""Orders by hand on the Bot page: the ticket, working orders, protection, closing a part."""

from datetime import timedelta
from decimal import Decimal

import pytest
from streamlit.testing.v1 import AppTest

from engine.contracts import (
    Order,
    OrderState,
    OrderTicket,
    OrderType,
    PositionSide,
    Purpose,
    TicketType,
    TimeInForce,
)
from tests.fakes.accounts import finding
from tests.fakes.services import FakeServices
from tests.pages.conftest import FakeEngine, open_page, words

HELD, FLAT, SHORT, STOPPED = "b0001", "b0002", "b0004", "b0007"


def open_bot(bot: str, tab: str) -> AppTest:
    app = open_page("bot", {"bot": bot, "tab": tab})
    assert not app.exception
    return app


def fill_in(
    app: AppTest, bot: str, kind: TicketType, *, is_exit: bool = False, **typed: str
) -> None:
    """Choose a type, draw its fields, and type into them."""
    purpose = Purpose.EXIT if is_exit else Purpose.ENTRY
    if is_exit:
        app.segmented_control(key=f"ticket_{bot}_purpose").set_value(purpose).run()
    app.selectbox(key=f"ticket_{bot}_type_{purpose.value}").set_value(kind).run()
    for name, text in typed.items():
        app.text_input(key=f"ticket_{bot}_{name}").input(text)
    app.run()


def place(app: AppTest, bot: str) -> None:
    app.button(key=f"ticket_{bot}_place").click().run()
    assert not app.exception


def working_limit(services: FakeServices, bot: str) -> Order:
    last = services.get_bot(bot).last_price or Decimal(0)
    ticket = OrderTicket(
        type=TicketType.LIMIT, direction=PositionSide.LONG, quantity=Decimal("0.01"),
        price=Decimal(round(last * Decimal("0.9"))),
    )  # fmt: skip
    (order,) = services.place_order(bot, ticket, "test")
    return order


def test_a_limit_entry_is_placed_with_its_bracket_and_shown(fake_engine: FakeEngine) -> None:
    app = open_bot(FLAT, "Orders")
    fill_in(app, FLAT, TicketType.LIMIT, size="1,000", price="2500", level_stop="2400",
            level_target="2,700")  # fmt: skip
    shown = words(app)
    assert "Buys about 0\\.4 ETH for about 1,000\\.00 USDT at 2,500\\.00" in shown
    assert "Loses about 40\\.00 USDT at its stop" in shown
    assert "Gains about 80\\.00 USDT at its target" in shown
    place(app, FLAT)
    (order,) = fake_engine.services.orders_placed.values()
    assert (order.type, order.price, order.quantity) == (OrderType.LIMIT, 2500, Decimal("0.4"))
    assert (order.level_stop, order.level_target) == (2400, 2700)
    assert any("The order is placed" in toast.value for toast in app.toast)
    assert "limit 2,500.00" in words(app)
    assert app.text_input(key=f"ticket_{FLAT}_size").value == ""


@pytest.mark.parametrize(
    ("kind", "typed", "expected"),
    [
        (TicketType.STOP, {"stop_price": "1000"}, {"type": OrderType.STOP, "stop_price": 1000}),
        (
            TicketType.STOP_LIMIT, {"stop_price": "1000", "price": "999"},
            {"type": OrderType.STOP_LIMIT, "stop_price": 1000, "price": 999},
        ),
        (
            TicketType.TRAILING_STOP, {"trail_percent": "1.25"},
            {"type": OrderType.TRAILING_STOP, "trail_bps": 125},
        ),
    ],
)  # fmt: skip
def test_every_resting_exit_is_placed(
    fake_engine: FakeEngine, kind: TicketType, typed: dict[str, str], expected: dict[str, object]
) -> None:
    held = fake_engine.services.positions_held[HELD]
    app = open_bot(HELD, "Orders")
    fill_in(app, HELD, kind, is_exit=True, **typed)
    place(app, HELD)
    (order,) = fake_engine.services.orders_placed.values()
    assert {name: getattr(order, name) for name in expected} == expected
    assert (order.purpose, order.quantity) == (Purpose.EXIT, held.quantity)


def test_a_target_with_a_stop_becomes_the_positions_levels(fake_engine: FakeEngine) -> None:
    app = open_bot(HELD, "Orders")
    fill_in(app, HELD, TicketType.OCO, is_exit=True, price="90000", stop_price="30000")
    assert "at the target" in words(app)
    place(app, HELD)
    held = fake_engine.services.positions_held[HELD]
    assert (held.target_price, held.stop_price) == (90000, 30000)
    assert any("target and the stop are set" in toast.value for toast in app.toast)


def test_a_short_is_entered_where_it_can_be(fake_engine: FakeEngine) -> None:
    app = open_bot(SHORT, "Orders")
    app.segmented_control(key=f"ticket_{SHORT}_direction").set_value(PositionSide.SHORT)
    fill_in(app, SHORT, TicketType.MARKET, size="100")
    assert "Sells short about" in words(app)
    place(app, SHORT)
    (order,) = fake_engine.services.orders_placed.values()
    assert (order.side, order.state) == ("sell", OrderState.FILLED)


def test_a_limit_order_carries_how_long_it_works(fake_engine: FakeEngine) -> None:
    app = open_bot(FLAT, "Orders")
    fill_in(app, FLAT, TicketType.LIMIT, size="100", price="2000")
    app.selectbox(key=f"ticket_{FLAT}_tif_limit").set_value(TimeInForce.DAY)
    app.number_input(key=f"ticket_{FLAT}_minutes").set_value(30)
    place(app, FLAT)
    (order,) = fake_engine.services.orders_placed.values()
    assert order.time_in_force is TimeInForce.DAY
    assert order.expires_at is not None
    assert order.expires_at - order.created_at > timedelta(minutes=29)


def test_a_click_sends_what_is_typed_at_that_moment(fake_engine: FakeEngine) -> None:
    app = open_bot(FLAT, "Orders")
    fill_in(app, FLAT, TicketType.LIMIT, size="100", price="2000")
    app.text_input(key=f"ticket_{FLAT}_price").input("1900")  # not drawn before the click
    place(app, FLAT)
    (order,) = fake_engine.services.orders_placed.values()
    assert order.price == 1900


def test_what_is_wrong_is_said_at_its_field_and_the_input_is_kept(fake_engine: FakeEngine) -> None:
    app = open_bot(FLAT, "Orders")
    fill_in(app, FLAT, TicketType.LIMIT, size="ten", price="")
    place(app, FLAT)
    shown = words(app)
    assert "must be a number" in shown
    assert "a limit order needs it" in shown
    assert not app.error
    assert app.text_input(key=f"ticket_{FLAT}_size").value == "ten"
    assert not fake_engine.services.orders_placed


def test_a_halted_account_refuses_an_entry_and_says_why(fake_engine: FakeEngine) -> None:
    found = finding(fake_engine.services.now())
    fake_engine.services.findings_seen[found.id] = found
    app = open_bot(FLAT, "Orders")
    assert "No entries on paper\\:simulated" in words(app)
    fill_in(app, FLAT, TicketType.MARKET, size="100")
    place(app, FLAT)
    assert any("does not agree with its venue" in error.value for error in app.error)
    assert not fake_engine.services.orders_placed


def test_an_order_that_the_venue_refused_is_no_success(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = working_limit(fake_engine.services, FLAT)
    refused = order.model_copy(update={"state": OrderState.REJECTED, "error": "too small"})
    monkeypatch.setattr(fake_engine.services, "place_order", lambda *_: [refused])
    app = open_bot(FLAT, "Orders")
    fill_in(app, FLAT, TicketType.MARKET, size="100")
    place(app, FLAT)
    assert any("Not placed. too small" in error.value for error in app.error)
    assert not app.toast


def test_with_a_stopped_bot_nothing_can_be_placed(fake_engine: FakeEngine) -> None:
    app = open_bot(STOPPED, "Orders")
    assert "Start or pause the bot" in words(app)
    assert f"ticket_{STOPPED}_place" not in {button.key for button in app.button}


def test_a_working_order_is_cancelled_after_asking(fake_engine: FakeEngine) -> None:
    order = working_limit(fake_engine.services, FLAT)
    app = open_bot(FLAT, "Orders")
    app.button(key=f"cancel-{order.client_id}").click().run()
    assert fake_engine.services.orders_placed[order.client_id].state is OrderState.OPEN
    app.button(key="cancel_confirm").click().run()
    assert fake_engine.services.orders_placed[order.client_id].state is OrderState.CANCELLED
    assert "No order works at the venue now" in words(app)


def test_a_working_order_is_replaced_by_what_was_changed_only(fake_engine: FakeEngine) -> None:
    order = working_limit(fake_engine.services, FLAT)
    app = open_bot(FLAT, "Orders")
    app.button(key=f"replace-{order.client_id}").click().run()
    app.text_input(key="replace_price").input("2,000")
    app.button(key="replace_confirm").click().run()
    follower = list(fake_engine.services.orders_placed.values())[-1]
    assert (follower.price, follower.quantity) == (2000, order.quantity)
    assert fake_engine.services.orders_placed[order.client_id].state is OrderState.CANCELLED


def test_what_the_engine_keeps_itself_cannot_be_changed(fake_engine: FakeEngine) -> None:
    order = working_limit(fake_engine.services, HELD)
    kept = order.model_copy(update={"purpose": Purpose.PROTECTION, "reason": "protection"})
    fake_engine.services.orders_placed[order.client_id] = kept
    app = open_bot(HELD, "Orders")
    for verb in ("replace", "cancel"):
        assert app.button(key=f"{verb}-{order.client_id}").disabled


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"unprotected_since": timedelta(seconds=42)}, ("qd-red", "unprotected for 4")),
        ({"protected_at": timedelta(minutes=3)}, ("qd-green", "works with the engine off, too")),
        ({}, ("qd-blue", "The engine watches its stop")),
        ({"stop_price": None}, ("qd-orange", "no stop")),
    ],
)
def test_protection_is_said(
    fake_engine: FakeEngine, changes: dict[str, timedelta | None], shown: tuple[str, str]
) -> None:
    now = fake_engine.services.now()
    update = {name: None if ago is None else now - ago for name, ago in changes.items()}
    held = fake_engine.services.positions_held
    held[HELD] = held[HELD].model_copy(update=update)
    text = words(open_bot(HELD, "Positions"))
    assert shown[1] in text
    assert f"qd-state {shown[0]}" in text


def test_a_part_of_a_position_is_closed(fake_engine: FakeEngine) -> None:
    before = fake_engine.services.positions_held[HELD].quantity
    app = open_bot(HELD, "Positions")
    app.button(key="position_close").click().run()
    assert fake_engine.services.positions_held[HELD].quantity == before
    app.segmented_control(key="close_fraction").set_value(Decimal("0.25")).run()
    assert "75 % of it stays" in words(app)
    app.button(key="close_confirm").click().run()
    left = fake_engine.services.positions_held[HELD].quantity
    assert Decimal("0.7") < left / before < Decimal("0.8")
    assert any("25 % of the position" in toast.value for toast in app.toast)


def test_closing_all_leaves_the_bot_flat(fake_engine: FakeEngine) -> None:
    app = open_bot(HELD, "Positions")
    app.button(key="position_close").click().run()
    app.button(key="close_confirm").click().run()
    assert HELD not in fake_engine.services.positions_held
    assert "holds nothing" in words(app)
