"""Situations, proposals and an advisor over a model of a test's own."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from engine.domain.advice import Advice, AiConfig, EntryProposal, Situation
from engine.domain.news import NewsItem
from engine.domain.positions import PositionSide
from engine.domain.records import Event
from engine.ports import Store
from engine.ports.ai import Model
from engine.services.advise import ModelAdvisor
from engine.services.ask_model import ModelCaller
from engine.services.books import Books
from engine.services.lanes import Lanes
from engine.services.model_budget import ModelBudget, ModelTerms
from tests.fakes.candles import random_candles
from tests.fakes.clock import START, FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.unit.samples import instrument

D = Decimal
PRICE = D("100.00")
NO_MODEL = "No model is set up."


def situation(**changes: Any) -> Situation:
    """A flat bot on BTC/USDT at 100, with a stop of 2 % and a target of 5 %."""
    fields: dict[str, Any] = {
        "bot_id": "b0000001", "bot_name": "demo", "ai": AiConfig(), "market": "simulated",
        "instrument": instrument(), "candles": random_candles(80, 3), "values": {"rsi": 31.25},
        "position": None, "last_price": PRICE, "now": START, "decision_id": "d1",
        "stop_loss": D("0.02"), "take_profit": D("0.05"),
    }  # fmt: skip
    return Situation(**(fields | changes))


def proposal(side: PositionSide = PositionSide.LONG, **changes: Any) -> EntryProposal:
    """An entry of 50 USDT at 100 with a stop at 2 % and a target at 5 %."""
    is_long = side is PositionSide.LONG
    fields: dict[str, Any] = {
        "side": side, "amount": D(50), "price": PRICE, "reason": "RSI below 30",
        "stop_price": D(98) if is_long else D(102),
        "target_price": D(105) if is_long else D(95),
    }  # fmt: skip
    return EntryProposal(**(fields | changes))


def news(title: str, summary: str = "", **changes: Any) -> NewsItem:
    """A piece of news of an hour ago."""
    fields: dict[str, Any] = {
        "id": "n1", "source": "newsapi", "symbol": "BTC", "title": title, "summary": summary,
        "published_at": START - timedelta(hours=1), "fetched_at": START,
    }  # fmt: skip
    return NewsItem(**(fields | changes))


@dataclass
class Bench:
    """An advisor with everything about it."""

    clock: FakeClock
    store: Store
    books: Books
    lanes: Lanes
    budget: ModelBudget
    advisor: ModelAdvisor

    def rows(self) -> list[Advice]:
        """All advice, oldest first."""
        with self.store.reading() as tx:
            return list(tx.advice.select())

    def events(self) -> list[Event]:
        """All events, oldest first."""
        with self.store.reading() as tx:
            return list(tx.events.select())

    def restart(self, model: Model | None, **changes: Any) -> "Bench":
        """A new engine over the same store and clock."""
        return bench(model, self.clock, self.store, **changes)


def bench(
    model: Model | None,
    clock: FakeClock | None = None,
    store: Store | None = None,
    **changes: Any,
) -> Bench:
    """An advisor over ``model``, with a budget of a dollar and prices of Gemini's kind."""
    fields: dict[str, Any] = {
        "provider": "fake", "model": "fake-1", "budget_usd": D(1), "calls_per_minute": 1_000,
        "calls_per_day": 1_000, "input_usd_per_million": D("0.30"),
        "output_usd_per_million": D("2.50"),
    }  # fmt: skip
    terms = ModelTerms(**(fields | changes))
    clock = clock or FakeClock()
    store = store or MemoryStore(clock.now)
    books, lanes = Books(store, clock), Lanes()
    budget = ModelBudget(store, clock, terms, MovingWindowRateLimiter(MemoryStorage()))
    caller = ModelCaller(clock, lanes, model, terms, budget, "" if model else NO_MODEL)
    return Bench(clock, store, books, lanes, budget, ModelAdvisor(books, lanes, caller))
