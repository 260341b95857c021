"""The Inbox page: filters in the address, a signal opened, its replay, and the test sender."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.domain.messages import read_message
from engine.domain.positions import PositionSide
from engine.domain.signals import (
    Expected,
    QuantityKind,
    SignalAction,
    SignalConfig,
    SignalKind,
    SignalOrder,
    SignalSource,
    SignalState,
)
from engine.errors import SignalRefused, StoreError
from panel.inbox_view import PAGE_SIZE
from panel.signal_sender import TEMPLATES, content_type_of
from panel.signal_view import BODY_SHOWN
from panel.signal_words import lag_words, one_line, order_words
from tests.fakes.services import FakeServices
from tests.pages.conftest import FakeEngine, open_page, words

BOT = "b0001"
HOSTILE = (
    "<script>alert(1)</script> [free money](https://evil.example) $x^2$ :red[no] **no**",
    "=cmd|' /C calc'!A0",
)
OPEN_LONG = SignalOrder(action=SignalAction.OPEN, side=PositionSide.LONG, symbol="BTCUSDT")


def listens(services: FakeServices, bot_id: str = BOT, **rules: Any) -> None:
    """Let a sample bot listen."""
    bot = services.bots[bot_id]
    config = bot.config.model_copy(update={"signals": SignalConfig(**rules)})
    services.bots[bot_id] = bot.model_copy(update={"config": config})


def open_inbox(query: dict[str, str] | None = None) -> AppTest:
    app = open_page("inbox", query)
    assert not app.exception
    return app


def press(app: AppTest, key: str) -> AppTest:
    app.button(key=key).click().run()
    assert not app.exception
    return app


def errors(app: AppTest) -> str:
    return "\n".join(error.value for error in app.error)


def plain(app: AppTest) -> str:
    """What is read on the page, without markdown's escapes."""
    return words(app).replace("\\", "")


# --- the list ------------------------------------------------------------------------------------


def test_what_to_do_while_no_bot_listens(fake_engine: FakeEngine) -> None:
    app = open_inbox()
    assert "No bot listens to signals yet" in plain(app)
    assert "nobody to send to" in plain(app)
    assert not any(one.key == "sender_send" for one in app.button)


def test_what_to_do_while_no_signal_came(fake_engine: FakeEngine) -> None:
    listens(fake_engine.services)
    assert "No signal yet. One bot listens" in plain(open_inbox())


def test_each_signal_says_what_it_asks_and_what_became_of_it(fake_engine: FakeEngine) -> None:
    signals = fake_engine.services.signals
    first = signals.add(BOT, order=OPEN_LONG, state=SignalState.ACTED, outcome="A position opened.",
                        copies=3, order_ids=("qd-1", "qd-2"))  # fmt: skip
    signals.add(BOT, state=SignalState.REFUSED, outcome="It names no action.", body="hello")
    signals.add("", source=SignalSource.METATRADER, kind=SignalKind.PRICES, sender="EA-7")
    app = open_inbox()
    table = app.dataframe[0].value
    assert list(table["Asks"]) == [
        "brings prices", "not understood: hello", "open long BTCUSDT",
    ]  # fmt: skip
    assert list(table["Source"]) == ["MetaTrader", "TradingView", "TradingView"]
    assert [list(one) for one in table["State"]] == [["received"], ["refused"], ["acted"]]
    assert list(table["Copies"]) == [0, 0, 3]
    assert list(table["Orders"]) == [0, 0, 2]
    assert table["Bot"][2] == fake_engine.services.get_bot(first.bot_id or "").config.name
    assert "1 to 3 of 3" in plain(app)


def test_filters_come_from_the_address(fake_engine: FakeEngine) -> None:
    signals = fake_engine.services.signals
    signals.add(BOT, state=SignalState.REFUSED, body="needle one")
    signals.add(BOT, state=SignalState.ACTED, body="needle two", source=SignalSource.WEBHOOK)
    signals.add("b0002", state=SignalState.ACTED, body="needle three")
    name = fake_engine.services.get_bot(BOT).config.name
    query = {"source": "Webhook", "state": "acted", "bot": name, "text": "needle"}
    app = open_inbox(query)
    assert [one[:6] for one in app.dataframe[0].value["Source"]] == ["Webhoo"]
    app.selectbox(key="source").set_value(None).run()
    app.selectbox(key="state").set_value("refused").run()
    assert list(app.dataframe[0].value["Asks"]) == ["not understood: needle one"]
    clear = next(one for one in app.button if one.label == "Clear filters")
    clear.click().run()
    assert len(app.dataframe[0].value) == 3


def test_days_are_inclusive_and_no_match_is_told_apart(fake_engine: FakeEngine) -> None:
    signal = fake_engine.services.signals.add(BOT)
    day = signal.received_at.date()
    app = open_inbox({"from": day.isoformat(), "to": day.isoformat()})
    assert len(app.dataframe[0].value) == 1
    later = (day + timedelta(days=1)).isoformat()
    assert "No signal matches these filters." in plain(open_inbox({"from": later}))
    assert "first day lies after" in errors(open_inbox({"from": later, "to": day.isoformat()}))


def test_very_many_come_in_pages(fake_engine: FakeEngine) -> None:
    signals = fake_engine.services.signals
    kept = [signals.add(BOT, order=OPEN_LONG) for _ in range(2 * PAGE_SIZE + 7)]
    app = open_inbox({"page": "3"})
    assert len(app.dataframe[0].value) == 7
    assert f"201 to 207 of {len(kept)}" in plain(app)


def test_a_failure_is_drawn_as_a_failure(fake_engine: FakeEngine) -> None:
    fake_engine.services.signals.failure = StoreError("the database is locked")
    app = open_inbox()
    assert "database is locked" in errors(app)
    assert "No signal" not in plain(app)
    assert "No bot listens" not in plain(app)


def test_a_missing_signal_is_said_above_the_list(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    listens(services, expect_every_s=3600)
    services.signals.missed[BOT] = services.now() - timedelta(hours=2)
    name = services.get_bot(BOT).config.name
    shown = errors(open_inbox()).replace("\\", "")
    assert f"{name} misses a signal since" in shown
    assert "One is expected every 1 h" in shown


def test_what_a_sender_wrote_is_text_everywhere(fake_engine: FakeEngine) -> None:
    signals = fake_engine.services.signals
    for body in HOSTILE:
        order = OPEN_LONG.model_copy(update={"symbol": body[:60], "comment": body})
        signals.add(BOT, body=body, order=order, outcome=f"'{body}' is no symbol.")
        signals.add(BOT, body=body, state=SignalState.REFUSED, sender=body)
    for signal in signals.kept[::2]:
        app = open_inbox({"signal": signal.id})
        for column in ("Asks", "Outcome", "Bot"):
            for cell in app.dataframe[0].value[column]:
                assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r"), "a spreadsheet runs it"
        assert app.code[0].value == signal.body
        assert not any("<script>" in one.proto.body for one in app.get("html"))
        for kind in ("markdown", "caption", "error", "warning", "info", "success"):
            for shown in app.get(kind):
                assert signal.body not in str(getattr(shown, "value", "")), "markup is escaped"


# --- a signal opened -----------------------------------------------------------------------------


def test_a_signal_opened_tells_all_about_it(fake_engine: FakeEngine) -> None:
    signals = fake_engine.services.signals
    came = fake_engine.services.now()
    signal = signals.add(
        BOT, order=OPEN_LONG, state=SignalState.HELD, outcome="The bot is paused.",
        received_at=came, sent_at=came - timedelta(seconds=3),
        acted_at=came + timedelta(milliseconds=40), address="52.89.214.238", copies=3,
        decision_id="d1", order_ids=("qd-1",),
    )  # fmt: skip
    shown = plain(open_inbox({"signal": signal.id}))
    for said in (
        "The bot is paused.", "held", "Asks: open long BTCUSDT", "3.0 s", "40 ms",
        "4, counted once", "from 52.89.214.238, as application/json", "Client order ids: qd-1",
    ):  # fmt: skip
        assert said in shown, said


def test_a_long_body_is_shown_in_part_until_all_is_asked_for(fake_engine: FakeEngine) -> None:
    body = "x" * (BODY_SHOWN * 3)
    signal = fake_engine.services.signals.add(BOT, body=body)
    app = open_inbox({"signal": signal.id})
    assert app.code[0].value == f"{body[:BODY_SHOWN]}…"
    app.toggle[0].set_value(True).run()
    assert app.code[0].value == body


def test_a_signal_that_is_gone_is_no_failure(fake_engine: FakeEngine) -> None:
    app = open_inbox({"signal": "nowhere"})
    assert "not kept any more" in plain(app)
    assert not app.error
    assert "not kept any more" not in plain(press(app, "signal_close"))


def test_a_replay_is_confirmed_and_opens_what_it_made(fake_engine: FakeEngine) -> None:
    signals = fake_engine.services.signals
    signal = signals.add(BOT, order=OPEN_LONG, state=SignalState.HELD)
    app = press(open_inbox({"signal": signal.id}), "signal_replay")
    assert "may open, add to or close a position" in plain(app)
    assert len(signals.kept) == 1
    press(app, "replay_confirm")
    assert signals.kept[-1].replay_of == signal.id
    links = [one.proto.label for one in app.get("page_link")]
    assert f"Replay of {signal.id}" in links, "what was made is open"


def test_what_was_acted_on_is_replayed_only_when_that_is_wanted(fake_engine: FakeEngine) -> None:
    signals = fake_engine.services.signals
    signal = signals.add(BOT, order=OPEN_LONG, state=SignalState.ACTED)
    app = press(open_inbox({"signal": signal.id}), "signal_replay")
    assert "acted on already" in plain(app)
    assert app.button(key="replay_confirm").disabled
    app.checkbox(key="replay_force").check().run()
    press(app, "replay_confirm")
    assert signals.kept[-1].replay_of == signal.id


def test_a_signal_whose_bot_is_gone_cannot_be_replayed(fake_engine: FakeEngine) -> None:
    signal = fake_engine.services.signals.add("gone-bot", order=OPEN_LONG)
    app = open_inbox({"signal": signal.id})
    assert app.button(key="signal_replay").disabled
    assert list(app.dataframe[0].value["Bot"]) == ["gone"]


# --- the test sender -----------------------------------------------------------------------------


def test_a_test_signal_is_answered_as_outside(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    listens(services)
    app = press(open_inbox(), "template_Reverse")
    press(app, "sender_send")
    kept = services.signals.kept[-1]
    assert kept.order is not None
    assert (kept.order.action, kept.order.side) == (SignalAction.REVERSE, PositionSide.SHORT)
    assert (kept.bot_id, kept.content_type) == (BOT, "application/json")
    assert any("**200**" in one.value for one in app.success)


def test_a_refusal_shows_its_status_and_sentence(fake_engine: FakeEngine) -> None:
    services = fake_engine.services
    listens(services)
    app = open_inbox()
    app.text_area(key="sender_body").set_value("")
    press(app, "sender_send")
    assert "nothing to send" in errors(app)
    assert not services.signals.kept
    press(press(app, "template_Nonsense"), "sender_send")
    assert "**422** The signal cannot be used" in errors(app).replace("\\", "")
    assert services.signals.kept[-1].state is SignalState.REFUSED
    services.signals.refuses = SignalRefused("too_many", "More than 60 a minute.")
    press(app, "sender_send")
    assert "**429** More than 60 a minute." in errors(app).replace("\\", "")


@pytest.mark.parametrize("name", [name for name in TEMPLATES if name != "Nonsense"])
def test_every_template_is_understood(name: str) -> None:
    body = TEMPLATES[name]
    assert read_message(body, content_type_of(body)).order.symbol == ""


def test_a_body_is_json_only_when_it_can_be_read_as_such() -> None:
    assert content_type_of("{}") == "application/json"
    for body in ("buy", "{", "[" * 20_000):
        assert content_type_of(body) == "text/plain"


# --- words ---------------------------------------------------------------------------------------


def test_an_order_is_read_as_a_sentence() -> None:
    order = SignalOrder(
        action=SignalAction.REVERSE, side=PositionSide.SHORT, symbol="ETHUSDT",
        quantity=Decimal("12.5"), quantity_kind=QuantityKind.PERCENT_OF_EQUITY,
        stop_price=Decimal(4000), target_percent=Decimal(3), expected=Expected.LONG,
    )  # fmt: skip
    assert order_words(order) == (
        "reverse to short ETHUSDT of 12.5 % of equity, stop 4,000.00, target 3 % away,"
        " if the bot is long"
    )
    assert order_words(SignalOrder(action=SignalAction.FLAT)) == "close whatever there is"
    half = SignalOrder(action=SignalAction.CLOSE, quantity=Decimal(50),
                       quantity_kind=QuantityKind.PERCENT_OF_POSITION)  # fmt: skip
    assert order_words(half) == "close 50 % of the position"


def test_lags_tell_a_clock_that_is_ahead() -> None:
    assert lag_words(None) == "–"
    assert lag_words(0.31) == "0.3 s"
    assert lag_words(-2.04) == "2.0 s early"
    assert lag_words(200) == "3 min 20 s"


def test_text_from_outside_is_one_line_of_printable_letters() -> None:
    assert one_line("a\x00b\n\tc \u202e d") == "a b c d"
    assert len(one_line("y" * 500)) == 80
