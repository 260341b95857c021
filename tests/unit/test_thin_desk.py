"""What only the short addresses have: predictions of models, candles of any market."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from engine.api.thin_desk import ThinDesk
from engine.contracts.thin import CandleQuery
from engine.domain.advice import AdvicePurpose, AdviceState, AiConfig
from engine.domain.candles import Candles
from engine.errors import ConfigError, NotFound
from engine.ports import MarketData
from engine.services.books import Books
from engine.services.send_alert import SendAlert
from tests.contract.store_samples import advice
from tests.fakes.clock import START, FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.fakes.venues import FakeVenues
from tests.unit.samples import bot as sample_bot


class OneMarket:
    """Has candles of one timeframe; ``asked`` counts."""

    market_id = "simulated"

    def __init__(self) -> None:
        self.asked = 0

    def timeframes(self) -> tuple[str, ...]:
        return ("1m",)

    def candles(self, symbol: str, timeframe: str, *, limit: int, before: Any = None) -> Candles:
        self.asked += 1
        column = np.full(limit, 100.0)
        return Candles(timeframe, np.arange(limit) * 60_000, *[column] * 5)


class Office:
    """A desk over books in memory."""

    def __init__(self) -> None:
        clock = FakeClock()
        self.books = Books(MemoryStore(clock.now), clock)
        self.market = OneMarket()
        self.fed: set[tuple[str, str, str]] = set()
        self.fed_asked = 0
        self.venues = FakeVenues(self.market, None)  # type: ignore[arg-type]
        self.desk = ThinDesk(
            self.books, self.venues, SendAlert(self.books), self._feed,
            lambda *key: key in self.fed,
        )  # fmt: skip

    def _feed(self, market: MarketData, symbol: str, timeframe: str, limit: int) -> Candles:
        self.fed_asked += 1
        return self.market.candles(symbol, timeframe, limit=limit)

    def add(self, name: str, ai: AiConfig | None) -> str:
        bot = sample_bot()
        config = bot.config.model_copy(update={"name": name, "ai": ai})
        with self.books.writing() as writing:
            writing.add_bot(bot.model_copy(update={"id": name, "config": config}))
        return name

    def said(self, bot_id: str, minute: int, **changes: Any) -> None:
        fields = {"id": f"{bot_id}{minute}", "bot_id": bot_id, "bot_name": bot_id,
                  "asked_at": START + timedelta(minutes=minute)}  # fmt: skip
        with self.books.store.transaction() as tx:
            tx.advice.add(advice(**fields, **changes))


@pytest.fixture
def office() -> Office:
    return Office()


def test_the_newest_of_each_bot_with_a_model_newest_first(office: Office) -> None:
    for name in ("one", "two"):
        office.add(name, AiConfig())
    office.add("plain", None)
    office.said("one", 1)
    office.said("one", 3)
    office.said("two", 2)
    office.said("plain", 9)  # it had a model once
    office.said("one", 5, purpose=AdvicePurpose.DRY_RUN)
    assert [(one.bot_id, one.time.minute) for one in office.desk.predictions("", 1)] == [
        ("one", 3), ("two", 2),
    ]  # fmt: skip
    assert [one.time.minute for one in office.desk.predictions("ONE", 5)] == [3, 1]
    assert [one.bot_id for one in office.desk.predictions("plain", 5)] == ["plain"]
    with pytest.raises(NotFound):
        office.desk.predictions("nobody", 1)


def test_a_prediction_has_what_was_said_or_why_nothing_was(office: Office) -> None:
    office.add("one", AiConfig())
    office.said("one", 1)
    office.said("one", 2, state=AdviceState.LATE, decision=None, answer="")
    late, answered = office.desk.predictions("one", 2)
    assert (late.state, late.action, late.confidence) == (AdviceState.LATE, None, None)
    assert (answered.action, answered.confidence, answered.horizon_minutes) == ("buy", 0.8, 60)
    assert (answered.model, answered.symbol) == ("gemini-2.5-flash", "BTC/USDT")


def test_candles_come_from_the_feed_where_bots_live_on_it(office: Office) -> None:
    asked = CandleQuery(symbol="BTC/USDT", timeframe="1m", limit=3)
    assert len(office.desk.candles(asked).time) == 3
    assert (office.market.asked, office.fed_asked) == (1, 0)
    office.fed.add(("simulated", "BTC/USDT", "1m"))
    office.desk.candles(asked)
    assert office.fed_asked == 1


def test_candles_of_a_replay_or_of_another_length_are_refused(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="one of 1m"):
        office.desk.candles(CandleQuery(symbol="BTC/USDT", timeframe="7m"))
    monkeypatch.setattr(office.venues, "is_stepped", lambda _market_id: True)
    with pytest.raises(ConfigError, match="belong to its bot"):
        office.desk.candles(CandleQuery(symbol="BTC/USDT", timeframe="1m"))
