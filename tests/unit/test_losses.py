"""Daily losses and drawdowns: told once, by profits and not by what is put in, over restarts."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D
from zoneinfo import ZoneInfo

import pytest

from engine.domain.alerts import Alert, AlertKind
from engine.domain.losses import LossKind, LossRules, LossTrack, Standing, begun, judge, summed
from engine.domain.positions import PositionSide
from engine.services.candle_feed import PriceBoard
from engine.services.instrument_book import InstrumentBook
from engine.services.track_equity import EquityKeeper
from engine.services.watch_losses import KEPT_EVERY, SETTING, LossWatcher
from tests.unit.conftest import Room
from tests.unit.samples import config

RULES = LossRules(D("0.03"), D("0.1"))
DAY = date(2026, 3, 2)


def play(profits: list[int], rules: LossRules = RULES) -> list[tuple[int, LossKind, str]]:
    """What is told of these profits on 1,000, each as profit, kind and amount."""
    track, told = begun("USDT", DAY, Standing(D(1000), D(0))), []
    for profit in profits:
        track, losses = judge(track, Standing(D(1000 + profit), D(profit)), rules)
        told += [(profit, one.kind, str(one.amount)) for one in losses]
    return told


def test_a_daily_loss_is_told_once() -> None:
    alone = LossRules(D("0.03"), None)
    assert play([-29, -30, -31, 5, -90], alone) == [(-30, LossKind.DAILY, "30")]
    assert play([-500], LossRules(None, None)) == []


def test_a_drawdown_is_told_at_each_multiple_and_anew_after_a_recovery() -> None:
    alone = LossRules(None, D("0.1"))
    told = play([200, 100, 79, 60, -50, 60, -60, 150, 70], alone)
    assert [(profit, amount) for profit, _, amount in told] == [
        (79, "121"), (-50, "250"), (70, "130"),
    ]  # fmt: skip


def test_what_joins_all_together_is_no_profit_and_what_leaves_no_loss() -> None:
    def part(profit: int, midnight: int = 0) -> LossTrack:
        return begun("USDT", DAY, Standing(D(1000), D(midnight))).model_copy(
            update={"profit": D(profit)}
        )

    known = summed(None, [part(0), part(0)], D(0))
    known, _ = judge(known, Standing(D(2100), D(100)), RULES)
    assert (known.best_profit, known.day_equity) == (D(100), D(2000))
    joined = summed(known, [part(50), part(50), part(400, 400)], D(400))
    _, losses = judge(joined, Standing(D(3500), D(500)), RULES)
    assert losses == []
    left = summed(joined, [part(50)], D(-450))
    track, losses = judge(left, Standing(D(1050), D(50)), RULES)
    assert (track.best_profit, losses) == (D(50), [])


class Losses:
    """A loss watcher over the room, with two bots of 100 USDT."""

    def __init__(self, room: Room, zone: str = "UTC") -> None:
        self.room = room
        self.zone = ZoneInfo(zone)
        other = config(name="other")
        room.add_bot(bot_config=other, id="b0000002")
        self.restart()

    def restart(self) -> None:
        """After a crash."""
        room = self.room
        room.restart()
        self.prices = PriceBoard()
        books, book = room.books, InstrumentBook(room.store)
        self.equity = EquityKeeper(books, self.prices, book, room.venues)
        self.equity.load()
        self.watcher = LossWatcher(books, self.equity, book, room.venues, RULES, self.zone)

    def look(self, price: str | None = None) -> None:
        """A sample and a round, at a price."""
        if price is not None:
            quote = self.room.market.quote("BTC/USDT").model_copy(update={"last": D(price)})
            self.prices.put("simulated", quote)
        self.equity.sample()
        self.watcher.check()

    def told(self) -> list[Alert]:
        """Losses told so far."""
        kinds = (AlertKind.DAILY_LOSS, AlertKind.DRAWDOWN)
        with self.room.store.reading() as tx:
            return [one for one in tx.alerts.select() if one.kind in kinds]


@pytest.fixture
def losses(room: Room) -> Losses:
    """With one position of 1 BTC at 100."""
    made = Losses(room)
    room.enter()
    return made


def test_a_bot_and_all_together_are_told_once_and_a_crash_tells_nothing_again(
    losses: Losses,
) -> None:
    for price in ("100", "98", "97", "96", "93"):
        losses.look(price)
    first, all_told = losses.told()
    assert (first.title, first.bot_id) == ("demo: daily loss", "b0000001")
    assert first.text == "Lost 3 USDT since midnight, 3% of 100 (set: 3%)."
    assert all_told.title == "Daily loss"
    assert all_told.text == ("All bots together lost 7 USDT since midnight, 3.5% of 200 (set: 3%).")
    losses.restart()
    losses.look("92")
    assert len(losses.told()) == 2
    losses.look("90")
    assert losses.told()[-1].text == "It is 10 USDT below the best, 10% of 100 (set: 10%)."
    losses.restart()
    losses.look("89")
    assert len(losses.told()) == 3


def test_a_position_without_a_price_says_nothing(losses: Losses) -> None:
    losses.look("96")
    count = len(losses.told())
    losses.restart()
    losses.look()  # after a start no price is known: the loss seems gone
    losses.look("95")
    assert len(losses.told()) == count
    with losses.room.store.reading() as tx:
        assert '"best_profit":"0"' in (tx.find_setting(SETTING) or "")


def test_a_day_begins_with_what_there_was_at_midnight_in_the_person_s_zone(room: Room) -> None:
    losses = Losses(room, "Asia/Tokyo")  # midnight is 15:00 UTC
    room.enter()
    losses.look("96")
    assert len(losses.told()) == 1
    room.clock.advance(4 * 3600)
    losses.look("94")
    losses.look("93.2")
    assert len(losses.told()) == 1, "it is 2.9% of the 96 at midnight"
    losses.look("93")
    _, told = losses.told()
    assert told.text == "Lost 3 USDT since midnight, 3.12% of 96 (set: 3%)."


def test_money_that_is_put_in_or_taken_out_is_no_loss(losses: Losses) -> None:
    losses.look("100")
    bot = losses.room.bot
    with losses.room.books.writing() as writing:
        writing.save_bot(bot.id, config=bot.config.model_copy(update={"amount": D(40)}))
    losses.look("100")
    assert losses.told() == []


def test_a_deleted_bot_is_no_loss(losses: Losses) -> None:
    losses.room.broker.price = D(150)
    losses.room.close("take_profit")
    losses.look("150")
    with losses.room.books.writing() as writing:
        writing.delete_bot("b0000001")
    losses.look("150")
    assert losses.told() == []


def test_whoever_comes_after_all_have_gone_begins_anew(losses: Losses) -> None:
    losses.room.broker.price = D(150)
    losses.room.close("take_profit")
    losses.look("150")
    with losses.room.books.writing() as writing:
        for bot_id in list(losses.room.books.bots):
            writing.delete_bot(bot_id)
    losses.look("150")
    for number in (3, 4):
        losses.room.add_bot(bot_config=config(name=f"new {number}"), id=f"b000000{number}")
    losses.look("150")
    assert losses.told() == []


def test_a_new_best_alone_is_written_once_a_minute(losses: Losses) -> None:
    losses.look("101")

    def kept() -> str:
        with losses.room.store.reading() as tx:
            return tx.find_setting(SETTING) or ""

    before = kept()
    losses.look("102")
    assert kept() == before
    losses.room.clock.advance(KEPT_EVERY.total_seconds())
    losses.look("102")
    assert kept() != before


def test_a_short_position_loses_as_prices_rise(room: Room) -> None:
    losses = Losses(room)
    room.enter(PositionSide.SHORT)
    losses.look("103")
    assert [one.bot_id for one in losses.told()] == ["b0000001"]


def test_a_clock_that_goes_back_begins_no_day(losses: Losses) -> None:
    losses.look("96")
    losses.room.clock.current = datetime(2026, 3, 1, 23, 59, tzinfo=UTC)
    losses.look("96")
    losses.room.clock.current += timedelta(minutes=2)
    losses.look("96")
    assert len(losses.told()) == 1
