"""Commands from Telegram, through its SDK and a loopback server, to the engine's services."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.domain.bots import BotState, Desired
from engine.domain.records import KillLevel, Level
from engine.errors import StoreError
from tests.fakes.telegram_server import CHAT, TOKEN, USER, TelegramServer, telegram_server
from tests.support.chat_room import ChatRoom
from tests.support.client import eventually
from tests.unit.samples import position

OTHER, GROUP = 77, "-100777"


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    with telegram_server(chats={CHAT, GROUP, str(OTHER)}) as server:
        yield server


@pytest.fixture
def room(tmp_path: Path, telegram: TelegramServer) -> Iterator[ChatRoom]:
    room = ChatRoom(tmp_path, telegram)
    yield room
    room.close()


def test_what_is_asked_is_answered_and_audited(room: ChatRoom) -> None:
    room.add_bot("grid_1")
    room.add_channel("read")
    assert "Kill switch: off\nBots: 1 running\nUSDT: equity 100" in room.ask("/status")
    assert room.ask("/bots@Quarterdeck_Test_Bot") == (
        "Bots: 1\ngrid_1: running, BTC/USDT, today 0 USDT"
    )
    assert room.ask("/positions") == "No position is open."
    assert room.ask("/profit") == "No trade was closed yet, and no position is open."
    assert "/profit: closed trades" in room.ask("/help")
    done = [(one.actor, one.action, one.detail["command"]) for one in room.audit()]
    asked = ["status", "bots", "positions", "profit", "help"]
    assert done == [(f"telegram:{USER}", "telegram.command", word) for word in asked]
    assert [one["command"] for one in room.telegram.commands] == [
        "status", "bots", "positions", "profit", "help",
    ]  # fmt: skip


def test_what_has_no_price_is_unavailable_and_not_nothing(room: ChatRoom) -> None:
    bot_id = room.add_bot("blind")
    with room.books.writing() as writing:
        writing.put_position(position(bot_id=bot_id), is_new=True)
    room.add_channel("read")
    assert "profit unavailable (no price yet)" in room.ask("/positions")
    assert "USDT: equity and profit unavailable" in room.ask("/status")
    assert "today unavailable (no price yet), in position" in room.ask("/bots")
    assert "open positions unavailable" in room.ask("/profit")


def test_a_chat_that_may_ask_changes_nothing(room: ChatRoom) -> None:
    bot_id = room.add_bot("grid")
    room.add_channel("read")
    for text in ("/pause grid", "/pause all", "/resume grid", "/stop grid", "/kill"):
        assert "This chat may ask only" in room.ask(text)
    assert room.books.bots[bot_id].desired is Desired.RUNNING
    assert room.controls.level is KillLevel.NONE
    assert room.audit() == []


def test_a_bot_is_paused_and_goes_on_by_the_beginning_of_its_name(room: ChatRoom) -> None:
    bot_id = room.add_bot("Trend BTC")
    room.add_channel()
    assert room.ask("/pause trend") == "Trend BTC opens nothing more; its exits go on."
    assert room.books.bots[bot_id].desired is Desired.PAUSED
    assert room.ask("/pause  trend  btc") == "Trend BTC is paused already."
    assert room.ask("/resume TREND").startswith("Trend BTC goes on.")
    assert room.books.bots[bot_id].desired is Desired.RUNNING
    actions = [one.action for one in room.audit() if one.actor == f"telegram:{USER}"]
    assert [one for one in actions if one.startswith("bot.")] == ["bot.paused", "bot.running"]


def test_a_bot_at_rest_is_neither_started_by_a_pause_nor_by_going_on(room: ChatRoom) -> None:
    bot_id = room.add_bot("rest", state=BotState.STOPPED, desired=Desired.STOPPED)
    room.add_channel()
    assert room.ask("/pause rest") == "rest is stopped."
    assert room.ask("/resume rest") == "rest is stopped. It is started in the panel."
    assert room.ask("/stop rest") == "rest is stopped."
    assert room.ask("/pause all") == "No bot is running."
    assert room.books.bots[bot_id].state is BotState.STOPPED


def test_a_name_that_fits_several_or_none_is_refused(room: ChatRoom) -> None:
    room.add_bot("Grid A")
    room.add_bot("Grid B")
    room.add_channel()
    assert room.ask("/pause grid") == "'grid' may mean 'Grid A', 'Grid B'. Write more of the name."
    assert "no bot whose name begins with '<b>x</b>'" in room.ask("/stop <b>x</b>")
    assert "Which one?" in room.ask("/stop")
    assert all(bot.desired is Desired.RUNNING for bot in room.books.bots.values())


def test_all_are_paused_and_resumed_once_it_is_confirmed(room: ChatRoom) -> None:
    for name in ("a", "b"):
        room.add_bot(name)
    room.add_channel()
    for verb, wanted in (("pause", Desired.PAUSED), ("resume", Desired.RUNNING)):
        question = room.ask(f"/{verb} all")
        assert "2 bots" in question
        before = {bot.desired for bot in room.books.bots.values()}
        assert before != {wanted}
        asked = len(room.said())
        room.press(room.buttons()[0])
        room.wait_said(asked + 1)
        assert {bot.desired for bot in room.books.bots.values()} == {wanted}
    assert room.said()[-1] == "Resumed: 2"


def test_a_stop_is_confirmed_and_keeps_the_position(room: ChatRoom) -> None:
    bot_id = room.add_bot("grid")
    with room.books.writing() as writing:
        writing.put_position(position(bot_id=bot_id), is_new=True)
    room.add_channel()
    assert "which is kept" in room.ask("/stop grid")
    yes, no = room.buttons()
    assert room.press(no) == "Nothing was done."
    assert "used up" in room.press(yes)
    assert room.books.bots[bot_id].desired is Desired.RUNNING
    room.ask("/stop grid")
    room.press(room.buttons()[0])
    eventually(room.said, lambda said: said[-1].startswith("grid is being stopped. Its position"))
    assert room.books.bots[bot_id].desired is Desired.STOPPED
    assert not room.books.bots[bot_id].close_on_stop


def test_a_kill_is_pulled_once_however_often_it_is_confirmed(room: ChatRoom) -> None:
    room.add_bot("grid")
    room.add_channel()
    assert "Pull the kill switch?" in room.ask("/kill")
    yes = room.buttons()[0]
    assert room.controls.level is KillLevel.NONE
    room.telegram.press(yes)
    assert room.press(yes) in ("", "This button is used up or too old: write the command again.")
    eventually(lambda: len(room.telegram.answered), lambda count: count == 2)
    assert room.controls.level is KillLevel.CANCEL_ORDERS
    assert room.controls.switch.actor == f"telegram:{USER}"
    assert len(room.events("kill_switch")) == 1
    assert sum(text.startswith("The kill switch is on: cancel orders") for text in room.said()) == 1
    assert room.ask("/kill") == "The kill switch is on already: cancel orders."


def test_a_kill_never_loosens_a_stronger_one(room: ChatRoom) -> None:
    room.add_channel()
    room.ask("/kill")
    yes = room.buttons()[0]
    room.controls.set(KillLevel.CLOSE_ALL, "anna")
    room.press(yes)
    eventually(room.said, lambda said: "on already: close all" in said[-1])
    assert room.controls.level is KillLevel.CLOSE_ALL


def test_a_kill_goes_before_a_database_that_refuses(room: ChatRoom) -> None:
    room.add_channel()
    room.ask("/kill")
    yes, held = room.buttons()[0], room.store.transaction
    room.store.transaction = _refusing  # type: ignore[method-assign,assignment]
    room.press(yes)
    eventually(lambda: room.controls.level, lambda level: level is KillLevel.CANCEL_ORDERS)
    assert (room.folder / "KILL").exists()
    room.store.transaction = held  # type: ignore[method-assign]


def test_another_person_and_another_chat_confirm_nothing(room: ChatRoom) -> None:
    room.add_channel(chat=GROUP)
    room.add_channel(id="c2")
    room.ask("/kill", chat=GROUP)
    yes = room.buttons()[0]
    assert room.press(yes, chat=GROUP, user=OTHER) == "Who has asked must confirm."
    assert room.press(yes, chat=CHAT) == "Who has asked must confirm."
    assert "used up" in room.press("yes:guessed", chat=GROUP)
    assert room.controls.level is KillLevel.NONE
    room.press(yes, chat=GROUP)
    eventually(lambda: room.controls.level, lambda level: level is KillLevel.CANCEL_ORDERS)


def test_a_confirmation_expires(room: ChatRoom) -> None:
    room.add_channel()
    room.ask("/kill")
    room.clock.advance(61)
    assert "too old" in room.press(room.buttons()[0])
    assert room.controls.level is KillLevel.NONE


def test_a_right_that_was_taken_away_is_gone_before_the_press(room: ChatRoom) -> None:
    room.add_channel()
    room.ask("/kill")
    room.change_channel(settings={"chat": CHAT, "commands": "read", "users": ""})
    assert "may ask only" in room.press(room.buttons()[0])
    assert room.controls.level is KillLevel.NONE


def test_strangers_get_no_answer_and_one_event_an_hour(room: ChatRoom) -> None:
    room.add_channel(users=str(USER))
    for number in range(3):
        room.telegram.write(f"/status secret-{number}", chat=str(OTHER), user=OTHER)
        room.telegram.write("/kill", chat=CHAT, user=OTHER)
        room.telegram.press("yes:x", user=OTHER)
    room.ask("/help")
    assert len(room.said()) == 1 and room.telegram.answered == []
    [event] = room.events("telegram.stranger")
    assert event.level is Level.WARNING
    assert event.data == {"chat": str(OTHER), "user": str(OTHER)}
    assert "secret" not in event.model_dump_json() and "Ada" not in event.model_dump_json()
    room.clock.advance(3_600)
    room.telegram.date += 3_600
    room.telegram.write("/status", user=OTHER)
    room.ask("/help")
    assert len(room.events("telegram.stranger")) == 2


def test_talk_in_a_group_and_commands_to_other_bots_are_left_alone(room: ChatRoom) -> None:
    room.add_channel(chat=GROUP, users=str(USER))
    room.telegram.write("good morning", chat=GROUP, user=OTHER)
    room.telegram.write("hello /kill", chat=GROUP)
    room.telegram.write("/kill@another_bot", chat=GROUP)
    assert room.ask("/nonsense", chat=GROUP) == "There is no /nonsense. /help lists what there is."
    assert len(room.said()) == 1
    assert room.events("telegram.stranger") == []


def test_what_was_written_while_nobody_listened_is_told_and_not_done(room: ChatRoom) -> None:
    bot_id = room.add_bot("grid")
    room.telegram.write("/pause grid")
    room.telegram.write("/kill")
    room.clock.advance(61)
    room.add_channel()
    room.wait_said(1)
    room.telegram.date += 61
    assert "/pause" in room.ask("/help")
    assert len(room.said()) == 2  # once for both
    assert "1 min ago was read only now, and is not carried out" in room.said()[0]
    assert room.books.bots[bot_id].desired is Desired.RUNNING


def test_what_was_heard_before_an_end_is_not_heard_again(room: ChatRoom) -> None:
    room.add_bot("grid")
    room.add_channel()
    said = room.ask("/pause grid")
    kept = list(room.telegram.waiting)
    room.restart()
    room.telegram.waiting = [*kept, *room.telegram.waiting]  # Telegram was never told of it
    assert "/help" in room.ask("/help")
    assert room.said().count(said) == 1
    assert [one.action for one in room.audit()].count("bot.paused") == 1


def test_an_end_between_offset_and_command_loses_it_and_does_not_repeat_it(
    room: ChatRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    bot_id = room.add_bot("grid")
    room.add_channel()
    heard: list[str] = []

    def die(*_args: object, **_more: object) -> None:
        with room.store.reading() as tx:
            heard.append(tx.find_setting(f"telegram.heard.{TOKEN.partition(':')[0]}") or "")
        raise KeyboardInterrupt  # as good as a kill: nothing after it runs

    monkeypatch.setattr(room.bots, "pause", die)
    monkeypatch.setattr("threading.excepthook", lambda _args: None)
    number = room.telegram.write("/pause grid")
    eventually(lambda: heard, bool, every_s=0.01)
    assert f'"next":{number + 1},' in heard[0]
    room.restart()
    room.ask("/help")
    assert room.books.bots[bot_id].desired is Desired.RUNNING
    assert [text for text in room.said() if "opens nothing" in text] == []


def test_numbers_that_begin_below_after_a_quiet_week_are_heard(room: ChatRoom) -> None:
    room.add_channel()
    room.ask("/help")
    room.end()
    room.telegram.waiting = []  # nothing is kept for so long
    room.clock.advance(8 * 86_400)
    room.telegram.date += 8 * 86_400
    room.restart()
    room.telegram._updates = 5
    assert "/status" in room.ask("/help")


def test_two_hundred_bots_fit_an_answer(room: ChatRoom) -> None:
    for number in range(200):
        room.add_bot(f"a_long_name_with_under_scores_{number:03}")
    room.add_channel()
    answer = room.ask("/bots")
    assert len(answer) <= 4_096
    assert answer.splitlines()[0] == "Bots: 200"
    assert answer.splitlines()[-1].endswith("more bots: the panel shows all.")
    assert "parse_mode" not in room.telegram.sent[-1]
    assert "and 192 more. Write more" in room.ask("/pause a_long")


def test_a_second_reader_is_told_once_and_when_it_is_gone(room: ChatRoom) -> None:
    room.telegram.has_webhook = True
    room.add_channel()
    [event] = eventually(lambda: room.events("telegram.trouble"), bool, every_s=0.01)
    assert "A webhook is set for this bot" in event.message and "'Phone c1'" in event.message
    room.telegram.has_webhook = False
    assert "/status" in room.ask("/help")
    assert len(room.events("telegram.trouble")) == 1
    assert len(room.events("telegram.back")) == 1


def test_a_revoked_token_is_told_without_it(room: ChatRoom) -> None:
    room.telegram.token = "123456789:another-token-of-the-loopback-telegr"
    room.add_channel()
    [event] = eventually(lambda: room.events("telegram.trouble"), bool, every_s=0.01)
    assert "@BotFather" in event.message
    assert TOKEN.partition(":")[2] not in event.model_dump_json()


def test_a_hiccup_of_telegram_is_not_told(room: ChatRoom) -> None:
    room.telegram.faulty.add("getUpdates")
    room.telegram.fail("bad_gateway")
    room.add_channel()
    assert "/status" in room.ask("/help")
    assert room.events("telegram.trouble") == []


def test_an_answer_that_surely_was_not_sent_is_sent_again(room: ChatRoom) -> None:
    room.telegram.fail("rate_limited", 0)
    room.add_channel()
    room.ask("/help")
    assert len(room.said()) == 1


def test_a_channel_that_is_switched_off_is_read_no_more(room: ChatRoom) -> None:
    room.add_channel()
    room.ask("/help")
    room.change_channel(is_enabled=False)
    room.commands.compare()
    room.telegram.write("/kill")
    room.change_channel(is_enabled=True)

    def said() -> int:
        room.commands.compare()
        return len(room.said())

    # Only when the reader before has ended: two would take each other's messages.
    eventually(said, lambda count: count == 2)
    assert "Pull the kill switch?" in room.said()[1]
    assert room.events("telegram.trouble") == []


def test_two_channels_of_one_bot_have_one_reader(room: ChatRoom) -> None:
    room.add_channel()
    room.add_channel("read", chat=GROUP, id="c2")
    assert "Pull the kill switch?" in room.ask("/kill")
    assert "may ask only" in room.ask("/kill", chat=GROUP)
    assert room.events("telegram.trouble") == []


def test_a_channel_with_a_public_name_or_a_lost_key_is_told_once(room: ChatRoom) -> None:
    room.add_channel(chat="@alerts")
    room.put_channel(id="c2")
    room.vault.is_locked = True
    room.commands.compare()
    room.commands.compare()
    words = [one.message for one in room.events("telegram.trouble")]
    assert len(words) == 2
    assert "give the number of a chat" in words[0] and "sealed with is gone" in words[1]
    assert room.telegram.polls == 0


def test_a_command_that_fails_is_answered(room: ChatRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    room.add_bot("grid")
    room.add_channel()

    def fail(*_args: object, **_more: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(room.bots, "pause", fail)
    assert room.ask("/pause grid") == "Not done: The disk is full."
    monkeypatch.setattr(room.bots, "pause", lambda *_args: 1 / 0)
    assert "its log says why" in room.ask("/pause grid")
    room.ask("/pause all")
    monkeypatch.setattr(room.bots, "pause", fail)
    room.press(room.buttons()[0])
    eventually(room.said, lambda said: said[-1] == "Paused: 0\nNot grid: The disk is full.")


def _refusing() -> None:
    raise StoreError("The database is locked.")
