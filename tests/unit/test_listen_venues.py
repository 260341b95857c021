"""Listening to an account whose connection was replaced: the old stream ends, a new one begins."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from engine.ports import OrderListener
from engine.services.lanes import Lanes
from engine.services.listen_venues import Listening
from tests.fakes.broker import ScriptedBroker
from tests.unit.conftest import Room


@dataclass
class Heard:
    """Which streams were begun and ended."""

    begun: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)


class TellingBroker(ScriptedBroker):
    """Tells of changes by itself."""

    def __init__(self, name: str, heard: Heard, *, is_broken: bool = False) -> None:
        super().__init__()
        self._name, self._heard, self._is_broken = name, heard, is_broken

    def listen(self, listener: OrderListener) -> Callable[[], None]:
        """Only remembered."""
        self._heard.begun.append(self._name)
        return self._stop

    def _stop(self) -> None:
        self._heard.ended.append(self._name)
        if self._is_broken:
            raise RuntimeError("closed already")


def test_a_replaced_connection_is_listened_to_and_the_old_one_no_more(room: Room) -> None:
    heard, lanes = Heard(), Lanes()
    account_id = room.bot.account_id

    async def settle(listening: Listening) -> None:
        await asyncio.sleep(0)
        while listening._tasks:
            await asyncio.gather(*list(listening._tasks))

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        listening = Listening(room.books, room.desk, room.venues, lanes, loop)
        room.venues.only_broker = TellingBroker("old", heard, is_broken=True)
        await listening.ensure()
        await settle(listening)
        await listening.ensure()  # it listens already
        await settle(listening)
        assert heard == Heard(["old"], [])
        room.venues.only_broker = TellingBroker("new", heard)
        await asyncio.to_thread(listening.renew, account_id)
        await settle(listening)
        assert heard.ended == ["old"]
        await listening.ensure()
        await settle(listening)
        assert heard.begun == ["old", "new"]
        listening.renew("nobody's")
        await settle(listening)
        listening.close()

    asyncio.run(scenario())
    lanes.close()
    assert heard == Heard(["old", "new"], ["old", "new"])
