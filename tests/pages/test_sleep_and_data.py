"""Sleep and market data on screen: countdowns, other sources, feeds, and the form's hours."""

from datetime import UTC, datetime, timedelta

from streamlit.testing.v1 import AppTest

from engine.contracts import LiveFacts, to_epoch_ms
from engine.domain.bots import Overnight, Weekday
from tests.pages.conftest import FakeEngine, open_page, words

SLEEPER, RUNNER = "b0005", "b0001"
WAKES = datetime(2026, 11, 27, 14, 30, tzinfo=UTC)


def open_feeds() -> AppTest:
    """The tab of live feeds."""
    app = open_page("candles", {"tab": "Live feeds"})
    assert not app.exception
    return app


def put_to_sleep(engine: FakeEngine) -> None:
    """The sample's sleeping bot waits for New York."""
    engine.services.live_facts[SLEEPER] = LiveFacts(
        sleeps_until=WAKES, sleeps_why="XNYS is closed (Thanksgiving)",
        sleeps_local="Fri 09:30 in New York", is_market_open=False,
    )  # fmt: skip


def test_a_sleeping_bot_counts_down_on_its_card_and_its_page(fake_engine: FakeEngine) -> None:
    put_to_sleep(fake_engine)
    for app in (open_page("overview"), open_page("bot", {"bot": SLEEPER})):
        assert not app.exception
        shown = words(app)
        assert (
            "Sleeps until Fri 27 Nov 14:30 UTC (Fri 09:30 in New York):"
            " XNYS is closed (Thanksgiving)"
        ) in shown
        assert "<dt>Wakes in</dt>" in shown
        assert f'data-qd-until="{to_epoch_ms(WAKES)}"' in shown


def test_another_source_is_said_on_card_and_page(fake_engine: FakeEngine) -> None:
    said = "Candles from Yahoo since 12:04 UTC: Binance does not answer."
    fake_engine.services.live_facts[RUNNER] = LiveFacts(source_words=said)
    assert said in words(open_page("overview"))
    assert said in words(open_page("bot", {"bot": RUNNER}))


def test_old_candles_are_marked_and_fresh_ones_are_not(fake_engine: FakeEngine) -> None:
    now = datetime.now(UTC)
    fake_engine.services.live_facts[RUNNER] = LiveFacts(newest_candle_at=now - timedelta(hours=2))
    assert "Its newest candle closed 2 h" in words(open_page("bot", {"bot": RUNNER}))
    fake_engine.services.live_facts[RUNNER] = LiveFacts(newest_candle_at=now)
    assert "Its newest candle closed" not in words(open_page("bot", {"bot": RUNNER}))


def test_feeds_tell_what_is_unavailable_from_what_is_only_closed(fake_engine: FakeEngine) -> None:
    feeds = fake_engine.services.market_data
    assert "No bot has asked for candles yet" in words(open_feeds())
    feeds.add("BTC/USDT")
    feeds.add("ETH/USDT", newest=None, age_s=None, errors=3, error="binance does not answer.")
    feeds.add("AAPL", is_market_open=False)
    feeds.add(
        "SOL/USDT", source="Kraken", other_since=datetime.now(UTC), words="Candles from Kraken"
    )
    [table] = open_feeds().dataframe
    frame = table.value
    assert list(frame["State"]) == ["live", "unavailable", "market closed", "other source"]
    assert list(frame["Candles from"])[3] == "Kraken"
    assert frame["Newest closed"].isna().tolist() == [False, True, False, False]
    assert frame["Remarks"][1] == "binance does not answer."


def test_hours_days_and_the_night_are_set_in_the_form(fake_engine: FakeEngine) -> None:
    app = open_page("create")
    app.text_input("draft_name").set_value("office")
    app.checkbox("draft_has_hours").set_value(True).run()
    app.selectbox("draft_hours_zone").select("America/New_York")
    app.session_state["draft_hours_days"] = ["mon", "fri"]
    app.session_state["draft_overnight"] = "close"
    app.run()
    app.number_input("draft_close_before").set_value(15)
    app.number_input("draft_wake_lead").set_value(30)
    app.checkbox("draft_follow_market").set_value(False)
    app.button("form_save").click().run()
    assert not app.exception
    config = fake_engine.services.find("office").config
    assert config.active_hours is not None
    assert config.active_hours.zone == "America/New_York"
    assert config.active_hours.weekdays == (Weekday.MON, Weekday.FRI)
    assert (config.overnight, config.close_before_min) == (Overnight.CLOSE, 15)
    assert (config.wake_lead_min, config.follow_market) == (30, False)
    shown = words(open_page("bot", {"bot": fake_engine.services.find("office").id,
                                    "tab": "Configuration"}))  # fmt: skip
    assert "America/New_York, mon, fri" in shown
    assert "closed 15 min before the end" in shown
