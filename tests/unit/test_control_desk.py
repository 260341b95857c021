"""What the API's controls are set on: bots by id or name, accounts there are, any symbol."""

import pytest

from engine.api.control_desk import ControlDesk
from engine.contracts import ControlRequest, KillLevel, ScopeKind
from engine.domain.limits import Limits
from engine.errors import ConfigError, NotFound
from engine.services.gateway import Gateway
from tests.unit.conftest import Room
from tests.unit.samples import config

BOT, ACCOUNT, SYMBOL = ScopeKind.BOT, ScopeKind.ACCOUNT, ScopeKind.SYMBOL


def request(scope: ScopeKind, key: str, level: KillLevel = KillLevel.CLOSE_ALL) -> ControlRequest:
    return ControlRequest(scope=scope, key=key, level=level, reason=" news ")


@pytest.fixture
def desk(room: Room) -> ControlDesk:
    gateway = Gateway(room.books, room.controls, lambda _is_paper: Limits())
    return ControlDesk(room.books, room.venues, room.controls, gateway)


@pytest.mark.parametrize(
    ("scope", "key", "kept"),
    [
        (BOT, "DEMO", "b0000001"),
        (BOT, " b0000001 ", "b0000001"),
        (ACCOUNT, "paper:simulated", "paper:simulated"),
        (SYMBOL, "eth/usdt", "ETH/USDT"),
        (ScopeKind.EVERYTHING, "", ""),
    ],
)
def test_what_is_named_is_found(
    desk: ControlDesk, room: Room, scope: ScopeKind, key: str, kept: str
) -> None:
    switch = desk.set_control(request(scope, key), "anna")
    assert (switch.key, switch.reason, switch.actor) == (kept, "news", "anna")
    assert desk.switches() == [switch]


@pytest.mark.parametrize(
    ("scope", "key", "error"),
    [
        (BOT, "nobody", NotFound),
        (BOT, "", ConfigError),
        (ACCOUNT, "paper:nowhere", NotFound),
        (ACCOUNT, " ", ConfigError),
        (SYMBOL, "", ConfigError),
        (SYMBOL, "x" * 41, ConfigError),
        (ScopeKind.EVERYTHING, "BTC/USDT", ConfigError),
    ],
)
def test_what_is_not_there_is_refused_at_its_field(
    desk: ControlDesk, scope: ScopeKind, key: str, error: type[Exception]
) -> None:
    with pytest.raises(error) as refused:
        desk.set_control(request(scope, key), "anna")
    assert refused.value.field == "key"  # type: ignore[attr-defined]
    assert not desk.switches()


def test_a_control_on_a_bot_that_is_gone_can_be_released(desk: ControlDesk, room: Room) -> None:
    bot = room.add_bot(id="b0000002", bot_config=config(name="second"))
    desk.set_control(request(BOT, "second"), "anna")
    with room.books.writing() as writing:
        writing.delete_bot(bot.id)
    desk.set_control(request(BOT, bot.id, KillLevel.NONE), "anna")
    assert not desk.switches()
