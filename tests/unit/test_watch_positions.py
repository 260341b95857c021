"""The watcher: a stop is seen, and one bot's trouble keeps no other bot's stop from being seen."""

import asyncio
from decimal import Decimal as D
from typing import Any

import pytest

from engine.errors import DataError
from engine.services.candle_feed import PriceBoard
from engine.services.lanes import Lanes
from engine.services.watch_positions import PositionWatcher
from tests.unit.conftest import Room
from tests.unit.samples import config, position


@pytest.mark.parametrize("failure", [DataError("No rules."), ValueError("odd")])
def test_one_bot_that_cannot_be_watched_leaves_the_others_stops_alone(
    room: Room, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    far_above = D(10_000_000)  # every price is below this stop
    for number in range(3):
        bot = room.add_bot(id=f"c{number:07}", bot_config=config(name=f"bot {number}"))
        with room.books.writing() as writing:
            kept = position(id=f"{bot.id}-0-e", bot_id=bot.id, stop_price=far_above)
            writing.put_position(kept, is_new=True)
    room.broker.now = room.clock.advance(5)
    advance = room.desk.advance

    def fails_for_one(bot_id: str, *rest: Any) -> None:
        if bot_id == "c0000001":
            raise failure
        advance(bot_id, *rest)

    monkeypatch.setattr(room.desk, "advance", fails_for_one)
    lanes = Lanes()
    watcher = PositionWatcher(room.books, room.desk, room.venues, PriceBoard(), lanes)

    async def look() -> None:
        await watcher.watch()
        await asyncio.gather(*watcher._looking.values())

    asyncio.run(look())
    lanes.close()
    assert set(room.books.positions) == {"c0000001"}
    assert {trade.exit_reason for trade in room.trades()} == {"stop_loss"}
