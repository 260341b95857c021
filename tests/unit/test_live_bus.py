"""The live stream within the engine: nothing is lost untold, and nobody is slowed."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import TypeVar

import pytest

from engine.domain.instruments import Quote
from engine.domain.live import BotChange, LiveFilter, LiveKind, LiveMessage, PriceTick
from engine.domain.records import Level
from engine.services.books import Books, Writing
from engine.services.live_bus import (
    MOST_SUBSCRIBERS,
    MOST_WAITING,
    REMEMBERED,
    LiveBus,
    Subscription,
)
from tests.fakes.clock import START, FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.unit.samples import bot as sample_bot

T = TypeVar("T")
ALL = LiveFilter()


class Deck:
    """Books with a bus that listens to them."""

    def __init__(self) -> None:
        clock = FakeClock()
        self.books = Books(MemoryStore(clock.now), clock)
        self.bus = LiveBus()
        self.books.listen(self.bus.on_commit)

    def say(self, text: str, bot_id: str | None = None, level: Level = Level.INFO) -> None:
        with self.books.writing() as writing:
            writing.event(level, "test", text, bot_id)

    def price(self, symbol: str, last: int, bot_id: str = "") -> None:
        amount = Decimal(last)
        quote = Quote(symbol=symbol, bid=amount, ask=amount, last=amount, time=START)
        self.bus.on_price("simulated", quote, bot_id)


@pytest.fixture
def deck() -> Deck:
    return Deck()


def on_loop(work: Callable[[], Awaitable[T]]) -> T:
    async def run() -> T:
        return await work()

    return asyncio.run(run())


def subscribed(deck: Deck, chosen: LiveFilter = ALL, after: int | None = None) -> Subscription:
    subscription = deck.bus.subscribe(chosen, after)
    assert subscription is not None
    return subscription


def words(messages: list[LiveMessage]) -> list[str]:
    return [getattr(one.data, "message", one.kind.value) for one in messages]


async def all_of(subscription: Subscription) -> list[LiveMessage]:
    return list((await subscription.take(90)).messages)


def test_what_is_committed_is_told_in_order_and_what_is_not_is_not(deck: Deck) -> None:
    async def work() -> list[LiveMessage]:
        subscription = subscribed(deck)
        deck.say("one")
        with pytest.raises(ZeroDivisionError), deck.books.writing() as writing:
            writing.event(Level.INFO, "test", "never", None)
            raise ZeroDivisionError
        await asyncio.to_thread(deck.say, "two")
        deck.say("chatter", level=Level.DEBUG)
        return await all_of(subscription)

    told = on_loop(work)
    assert words(told) == ["one", "two"]
    assert [one.number for one in told] == [1, 2]


def test_a_listener_that_fails_fails_no_commit(
    deck: Deck, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Writing] = []

    def broken(_writing: Writing) -> None:
        raise ZeroDivisionError

    books = deck.books
    books.listen(broken)
    books.listen(heard.append)
    deck.say("kept")
    with books.store.reading() as tx:
        assert [one.message for one in tx.events.select()] == ["kept"]
    assert len(heard) == 1
    assert "a listener of the books failed" in caplog.text


def test_a_listener_may_write_itself(deck: Deck) -> None:
    def answer(writing: Writing) -> None:
        if writing.written_events[0].message == "ask":
            deck.say("answer")

    deck.books.listen(answer)
    deck.say("ask")
    with deck.books.store.reading() as tx:
        assert {one.message for one in tx.events.select()} == {"ask", "answer"}


def test_of_a_bot_only_what_changes_is_told(deck: Deck) -> None:
    bot = sample_bot()

    async def work() -> list[LiveMessage]:
        with deck.books.writing() as writing:
            writing.add_bot(bot)
        deck.bus.begin(deck.books.bots.values())
        subscription = subscribed(deck)
        for changes in ({"checked_at": START}, {"reason": "late"}, {"decided_until": START}):
            with deck.books.writing() as writing:
                writing.save_bot(bot.id, **changes)
        with deck.books.writing() as writing:
            writing.delete_bot(bot.id)
        return await all_of(subscription)

    told = [one.data for one in on_loop(work)]
    assert all(isinstance(one, BotChange) for one in told)
    assert [(one.reason, one.is_deleted) for one in told if isinstance(one, BotChange)] == [
        ("late", False),
        ("late", True),
    ]


def test_a_slow_listener_gets_the_newest_price_and_is_told_what_it_has_lost(deck: Deck) -> None:
    async def work() -> tuple[int, list[LiveMessage]]:
        subscription = subscribed(deck)
        for number in range(MOST_WAITING + 3):
            deck.price("BTC/USDT", number)
            deck.price("ETH/USDT", -number)
            deck.say(str(number))
        batch = await subscription.take(90)
        deck.say("after")
        assert words(await all_of(subscription)) == ["after"]
        return batch.lost, list(batch.messages)

    lost, messages = on_loop(work)
    assert lost == 3
    assert len(messages) == MOST_WAITING + 2
    assert words(messages)[0] == "3", "the oldest went"
    prices = [one.data for one in messages if isinstance(one.data, PriceTick)]
    assert [(one.symbol, one.last) for one in prices] == [
        ("BTC/USDT", MOST_WAITING + 2),
        ("ETH/USDT", -MOST_WAITING - 2),
    ]


def test_who_comes_back_gets_what_was_missed_or_is_told_that_it_cannot(deck: Deck) -> None:
    async def work() -> None:
        for text in ("one", "two", "three"):
            deck.say(text)
        assert subscribed(deck).missed == ()
        missed = subscribed(deck, after=1).missed
        assert missed is not None
        assert words(list(missed)) == ["two", "three"]
        assert subscribed(deck, after=3).missed == []
        only_prices = LiveFilter(kinds=[LiveKind.PRICE])
        assert subscribed(deck, only_prices, after=0).missed == []
        for number in (-1, 4, 10**12):
            assert subscribed(deck, after=number).missed is None
        with deck.books.writing() as writing:
            for _ in range(REMEMBERED):
                writing.event(Level.INFO, "test", "more", None)
        assert subscribed(deck, after=2).missed is None
        assert subscribed(deck, after=3).missed is not None

    on_loop(work)


def test_filters(deck: Deck) -> None:
    async def work() -> None:
        mine = subscribed(deck, LiveFilter(bots=["b1"], places=[("simulated", "BTC/USDT")]))
        prices = subscribed(deck, LiveFilter(kinds=[LiveKind.PRICE], symbols=["ETH/USDT"]))
        deck.say("of nobody")
        deck.say("of b1", "b1")
        deck.say("of b2", "b2")
        deck.price("BTC/USDT", 1)
        deck.price("ETH/USDT", 2)
        deck.price("BTC/USDT", 3, bot_id="b2")
        assert words(await all_of(mine)) == ["of b1", "price"]
        [only] = await all_of(prices)
        assert only.symbol == "ETH/USDT"

    on_loop(work)


def test_there_is_room_for_so_many_and_none_once_the_engine_stops(deck: Deck) -> None:
    async def work() -> None:
        held = [subscribed(deck) for _ in range(MOST_SUBSCRIBERS)]
        assert deck.bus.subscribe(ALL) is None
        deck.bus.unsubscribe(held.pop())
        last = subscribed(deck)
        waiting = asyncio.create_task(last.take(90))
        await asyncio.sleep(0)
        deck.bus.close()
        assert (await waiting).messages == ()
        assert last.is_closed
        deck.bus.unsubscribe(last)
        assert deck.bus.subscribe(ALL) is None

    on_loop(work)


def test_nothing_comes_in_time(deck: Deck) -> None:
    async def work() -> None:
        assert (await subscribed(deck).take(0.001)).messages == ()

    on_loop(work)


def test_a_subscription_whose_loop_is_gone_disturbs_nobody(deck: Deck) -> None:
    async def work() -> Subscription:
        return subscribed(deck)

    on_loop(work)
    deck.say("to nobody")
    deck.price("BTC/USDT", 1)
