"""The TradingView page: an address that is hidden until asked for, and messages that are read as
they were meant; the same address on the bot's own tab."""

import itertools
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from streamlit.testing.v1 import AppTest

from engine.domain.messages import read_message
from engine.domain.positions import PositionSide
from engine.domain.signals import Expected, QuantityKind, SignalAction, SignalOrder, Signature
from engine.errors import StoreError
from engine.services.signal_checks import Delivery, check_signature
from panel.alert_draft import (
    AS_THE_STRATEGY,
    AT_PRICE,
    AWAY,
    CONTRACTS,
    EXPECTED,
    INDICATOR,
    KINDS,
    LEVELS,
    ONCE_A_BAR,
    QUANTITIES,
    STRATEGY,
    TEXT,
    AlertDraft,
    alert_message,
    quantities_of,
)  # fmt: skip
from panel.placeholders import PLACEHOLDERS, filled, unknown
from panel.signal_sender import content_type_of
from panel.tradingview_help import HMAC_PYTHON, STANDARD_PYTHON
from panel.webhook_view import SHOWN_FOR_S
from tests.pages.conftest import FakeEngine, open_page
from tests.pages.test_inbox import BOT, HOSTILE, errors, listens, plain, press

NOW = datetime(2026, 11, 26, 5, 30, tzinfo=UTC)
SECRET = "whsec_" + "QUJD" * 8


def open_tradingview(query: dict[str, str] | None = None) -> AppTest:
    app = open_page("tradingview", query)
    assert not app.exception
    return app


def codes(app: AppTest) -> str:
    return "\n".join(str(one.value) for one in app.code)


# --- the address ---------------------------------------------------------------------------------


def test_what_to_do_while_no_bot_listens(fake_engine: FakeEngine) -> None:
    app = open_tradingview()
    assert "No bot listens to signals yet" in plain(app)
    assert any("reaches this machine" in one.label for one in app.expander)


def test_an_address_is_hidden_until_it_is_asked_for(fake_engine: FakeEngine) -> None:
    signals = fake_engine.services.signals
    listens(fake_engine.services, signature="hmac")
    key, secret = signals.key_of(BOT), f"whsec_canary-secret-{BOT}"
    app = open_tradingview()
    assert "https://deck.example/webhook/…" in plain(app)
    assert not signals.shown
    press(app, "webhook_show")
    assert f"https://deck.example/webhook/{key}" in codes(app)
    assert secret in codes(app)
    assert signals.shown == {BOT: 1}
    assert key not in str(app.session_state) + plain(app)
    press(app, "webhook_hide")
    for canary in (key, secret):
        assert canary not in codes(app) + plain(app)
    assert signals.shown == {BOT: 1}


def test_what_was_shown_is_hidden_again_after_a_while(
    fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    listens(fake_engine.services)
    app = press(open_tradingview(), "webhook_show")
    later = datetime.now(UTC) + timedelta(seconds=SHOWN_FOR_S + 1)
    monkeypatch.setattr("panel.webhook_view.now", lambda: later)
    app.run()
    assert fake_engine.services.signals.key_of(BOT) not in codes(app)


def test_an_address_is_made_anew_only_after_a_question(fake_engine: FakeEngine) -> None:
    signals = fake_engine.services.signals
    listens(fake_engine.services)
    old = signals.key_of(BOT)
    app = press(open_tradingview(), "webhook_rotate")
    assert "the old one ends at once" in plain(app)
    assert signals.key_of(BOT) == old
    press(app, "rotate_confirm")
    assert signals.key_of(BOT) != old
    assert signals.key_of(BOT) in codes(app)


def test_the_address_names_the_bot_and_says_when_it_does_not_listen(
    fake_engine: FakeEngine,
) -> None:
    services = fake_engine.services
    listens(services)
    listens(services, "b0002")
    services.signals.objections["b0002"] = "Name your proxy first."
    listens(services, "b0002", signature="hmac")
    app = open_tradingview({"bot": services.get_bot("b0002").config.name})
    assert "Name your proxy first." in plain(app)
    assert "TradingView cannot sign" in plain(app)
    symbol = services.get_bot("b0002").config.symbol.replace("/", "")
    assert f"open long {symbol}" in plain(app), "samples are of the bot's own symbol"
    assert "That bot does not listen" in plain(open_tradingview({"bot": "b0003"}))


def test_a_failure_is_drawn_as_a_failure(fake_engine: FakeEngine) -> None:
    listens(fake_engine.services)
    fake_engine.services.signals.failure = StoreError("the database is locked")
    app = open_tradingview()
    assert "database is locked" in errors(app)
    assert "No bot listens" not in plain(app)


def test_the_bots_own_tab_has_signals_address_and_what_is_missing(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    query = {"bot": BOT, "tab": "Signals"}
    assert "does not listen to signals from outside" in plain(open_page("bot", query))
    listens(services, expect_every_s=60)
    services.signals.add(BOT, body="a needle")
    services.signals.add("b0002", body="of another bot")
    services.signals.missed[BOT] = services.now() - timedelta(minutes=3)
    app = open_page("bot", query)
    assert not app.exception
    [asks] = [list(one.value["Asks"]) for one in app.dataframe if "Asks" in one.value.columns]
    assert asks == ["not understood: a needle"]
    assert "misses a signal since" in errors(app)
    assert "/webhook/…" in plain(app)


# --- the message ---------------------------------------------------------------------------------


def test_the_form_writes_the_message_and_says_how_it_reads(fake_engine: FakeEngine) -> None:
    listens(fake_engine.services)
    app = open_tradingview()
    assert "{{strategy.order.action}}" in codes(app)
    assert "open long BTCUSDT" in plain(app)
    app.session_state["alert_kind"] = INDICATOR
    app.session_state["alert_action"] = "close"
    app.run()
    offered = next(one for one in app.selectbox if one.label == "How much")
    offered.set_value(QuantityKind.PERCENT_OF_POSITION.value).run()
    app.text_input(key="alert_size").set_value("50").run()
    assert not app.exception
    assert '"percent_of_position": "50"' in codes(app)
    assert "close long BTCUSDT 50 % of the position" in plain(app)
    app.text_input(key="alert_size").set_value("a lot").run()
    assert "cannot be used" in errors(app)


def test_any_message_can_be_checked(fake_engine: FakeEngine) -> None:
    listens(fake_engine.services)
    app = open_tradingview()
    app.text_area(key="alert_checked").set_value("sell {{ticker}} sl={{plot_3}} {{nonsense}}").run()
    assert "knows no placeholder nonsense" in plain(app)
    assert "'nonsense' was not filled in" in errors(app)
    app.text_area(key="alert_checked").set_value("sell {{ticker}} sl={{plot_3}}").run()
    assert "reverse to short BTCUSDT, stop 63,800.00" in plain(app)
    for body in HOSTILE:
        app.text_area(key="alert_checked").set_value(body).run()
        assert not app.exception
        assert all(body not in one.value for one in app.error), "markup is escaped"


def test_every_message_that_the_form_can_write_is_understood() -> None:
    for kind, action, side, stop, expected in itertools.product(
        KINDS, SignalAction, ("long", "short"), LEVELS, EXPECTED
    ):
        if kind != STRATEGY and expected == AS_THE_STRATEGY:
            continue
        for quantity in quantities_of(kind, action):
            draft = AlertDraft(
                kind, action, side, quantity, "12.5", stop, "2", stop, "3", expected, ONCE_A_BAR
            )
            order = read(alert_message(draft))
            assert order.symbol == "BTCUSDT", draft
            if kind == STRATEGY:
                continue
            assert order.action is action, draft
            if action is not SignalAction.FLAT:
                assert order.side == side, draft
                levels = (order.stop_price, order.target_price)
                assert levels == ((2, 3) if stop == AT_PRICE else (None, None))
                away = (order.stop_percent, order.target_percent)
                assert away == ((2, 3) if stop == AWAY else (None, None))
                if quantity in {one.value for one in QuantityKind}:
                    assert (order.quantity, order.quantity_kind) == (Decimal("12.5"), quantity)
                else:
                    assert order.quantity is None


@pytest.mark.parametrize(
    ("order", "before", "after", "action", "side"),
    [
        ("buy", "flat", "long", SignalAction.OPEN, PositionSide.LONG),
        ("buy", "long", "long", SignalAction.ADD, PositionSide.LONG),
        ("sell", "long", "flat", SignalAction.CLOSE, PositionSide.LONG),
        ("sell", "long", "short", SignalAction.REVERSE, PositionSide.SHORT),
        ("buy", "short", "flat", SignalAction.CLOSE, PositionSide.SHORT),
    ],
)
def test_a_strategys_alert_follows_its_position(
    order: str, before: str, after: str, action: SignalAction, side: PositionSide
) -> None:
    for quantity in quantities_of(STRATEGY, "open"):
        message = alert_message(AlertDraft(quantity=quantity, size="100"))
        for name, value in (
            ("{{strategy.order.action}}", order),
            ("{{strategy.prev_market_position}}", before),
            ("{{strategy.market_position}}", after),
        ):
            message = message.replace(name, value)
        read_as = read(message)
        assert (read_as.action, read_as.side) == (action, side), quantity


def test_a_strategys_partial_exit_closes_the_same_part() -> None:
    for quantity in quantities_of(STRATEGY, "open"):
        message = alert_message(AlertDraft(quantity=quantity, size="100"))
        for name, value in (
            ("{{strategy.order.action}}", "sell"),
            ("{{strategy.prev_market_position}}", "long"),
            ("{{strategy.prev_market_position_size}}", "1.25"),
        ):
            message = message.replace(name, value)
        order = read(message)  # which is left with 0.5
        assert (order.action, order.quantity) == (SignalAction.CLOSE, Decimal(60)), quantity
        assert order.quantity_kind is QuantityKind.PERCENT_OF_POSITION


def test_deliveries_of_one_firing_are_one_signal_and_once_a_bar_holds_for_the_bar() -> None:
    later = NOW + timedelta(seconds=30)
    for kind in KINDS:
        message = alert_message(AlertDraft(kind=kind))
        first, again, next_one = (filled(message, at) for at in (NOW, NOW, later))
        same = read_message(first, content_type_of(first)).identity
        assert same and same == read_message(again, content_type_of(again)).identity
        assert same != read_message(next_one, content_type_of(next_one)).identity
    for kind in (INDICATOR, TEXT):
        message = alert_message(AlertDraft(kind=kind, once=ONCE_A_BAR)).replace(
            "{{time}}", "2026-11-26T05:15:00Z"
        )
        bodies = [filled(message, at) for at in (NOW, later)]
        assert len({read_message(one, content_type_of(one)).identity for one in bodies}) == 1


def test_what_the_strategy_had_is_what_the_bot_must_have() -> None:
    order = read(alert_message(AlertDraft(expected=AS_THE_STRATEGY, quantity=CONTRACTS)))
    assert order.expected is Expected.FLAT
    assert (order.quantity, order.quantity_kind) == (Decimal("0.5"), QuantityKind.UNITS)


def test_every_placeholder_has_a_sample_and_others_are_named() -> None:
    everything = " ".join(f"{{{{{one.name}}}}}" for one in PLACEHOLDERS)
    assert "{{" not in filled(everything, NOW)
    assert list(unknown("{{ticker}} {{ nope }} {{plot_19}} {{plot_20}}")) == ["nope", "plot_20"]
    assert set(QUANTITIES) >= {one.value for one in QuantityKind}


def read(message: str) -> SignalOrder:
    """What a message asks once TradingView has filled it in."""
    body = filled(message, NOW)
    return read_message(body, content_type_of(body)).order


# --- programs of one's own -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "kind"), [(HMAC_PYTHON, Signature.HMAC), (STANDARD_PYTHON, Signature.STANDARD)]
)
def test_the_programs_to_copy_sign_as_the_engine_checks(
    program: str, kind: Signature, monkeypatch: pytest.MonkeyPatch
) -> None:
    with one_request() as (url, came):
        monkeypatch.setenv("QD_URL", url)
        monkeypatch.setenv("QD_SECRET", SECRET)
        subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    [delivery] = came
    check_signature(kind, SECRET, delivery, datetime.now(UTC))
    order = read_message((delivery.body or b"").decode(), delivery.content_type).order
    assert (order.action, order.side) == (SignalAction.OPEN, PositionSide.LONG)


@contextmanager
def one_request() -> Iterator[tuple[str, list[Delivery]]]:
    """A server on this machine that takes one post."""
    came: list[Delivery] = []

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            came.append(Delivery("127.0.0.1", headers, body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", 0), Taker) as server:
        thread = Thread(target=server.handle_request, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", came
        thread.join(60)
