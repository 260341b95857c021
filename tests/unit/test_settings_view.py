"""Which settings the panel may change, and that no secret is ever among what it is told."""

from pydantic import SecretStr

from engine.api.settings_view import EDITABLE, SECRET, SettingsDesk
from engine.services.books import Books
from engine.settings import Settings
from tests.fakes.clock import FakeClock
from tests.fakes.memory_store import MemoryStore

CANARY = "canary-of-a-setting-4711"


def test_every_secret_only_says_that_it_is_set() -> None:
    names = [name for name, field in Settings.model_fields.items()
             if "SecretStr" in str(field.annotation)]  # fmt: skip
    assert {"gemini_key", "openai_key", "newsapi_key", "finnhub_key", "alphavantage_key"} <= {
        *names
    }
    settings = Settings().model_copy(update={name: SecretStr(CANARY) for name in names})
    views = {
        one.key: one for one in SettingsDesk(Books(MemoryStore(), FakeClock()), settings).views()
    }
    assert [views[name].value for name in names] == ["(set)"] * len(names)
    assert CANARY not in str(views)
    assert not any(views[name].is_editable for name in names)
    assert set(names) <= SECRET


def test_where_a_key_is_sent_is_not_for_the_panel_to_say() -> None:
    addresses = {name for name in Settings.model_fields if name.endswith("_url")}
    assert {"gemini_url", "openai_url", "finnhub_url"} <= addresses
    assert not addresses & EDITABLE
    assert set(Settings.model_fields) >= EDITABLE


def test_a_title_keeps_its_capitals() -> None:
    views = SettingsDesk(Books(MemoryStore(), FakeClock()), Settings()).views()
    titles = {one.key: one.title for one in views}
    assert titles["tradingview_addresses"] == "TradingView's addresses"
    assert titles["panel_port"] == "Panel port"
