"""A chat of Telegram that commands come from: long polling, buttons, two readers, an end."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from engine.adapters.notify.registry import NotifierRegistry
from engine.domain.alerts import ChannelKind
from engine.errors import ChannelBusy, ChannelRefused, ChannelUnsure
from engine.ports.chat import ChatClient, ChatUpdate
from tests.contract.notifiers import message
from tests.fakes.telegram_server import (
    CHAT,
    TOKEN,
    USER,
    WRITTEN_AT,
    TelegramServer,
    settings,
    telegram_server,
)
from tests.support.client import eventually

AT = datetime.fromtimestamp(WRITTEN_AT, UTC)
LONG_S = 60.0
"""A poll that nothing ends would fail the test by its own timeout."""


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    with telegram_server() as server:
        yield server


def client(telegram: TelegramServer, timeout_s: float = 30) -> ChatClient:
    return NotifierRegistry(telegram_url=telegram.url, timeout_s=timeout_s).chat(settings(), {})


def test_what_was_written_is_read_in_order_and_who_wrote_it(telegram: TelegramServer) -> None:
    chat = client(telegram)
    first = telegram.write("/status")
    telegram.write("/stop Größe 🚀", chat="-100777", user=7)
    assert chat.updates(0, 0) == [
        ChatUpdate(first, CHAT, str(USER), "Ada No. 4242", "/status", sent_at=AT),
        ChatUpdate(first + 1, "-100777", "7", "Ada No. 7", "/stop Größe 🚀", sent_at=AT),
    ]


def test_what_is_before_the_offset_is_done_with(telegram: TelegramServer) -> None:
    chat = client(telegram)
    first = telegram.write("one")
    telegram.write("two")
    assert [one.text for one in chat.updates(first + 1, 0)] == ["two"]
    assert [one.text for one in chat.updates(0, 0)] == ["two"]
    assert not chat.updates(first + 2, 0)
    assert not telegram.waiting


def test_a_poll_waits_until_something_is_written(telegram: TelegramServer) -> None:
    chat = client(telegram)
    with ThreadPoolExecutor(1) as pool:
        polled = pool.submit(chat.updates, 0, LONG_S)
        eventually(lambda: telegram.polls, lambda polls: polls == 1)
        telegram.write("/bots")
        assert [one.text for one in polled.result(LONG_S)] == ["/bots"]


def test_a_picture_has_a_number_alone(telegram: TelegramServer) -> None:
    number = telegram.write("")
    assert client(telegram).updates(0, 0) == [ChatUpdate(number)]


def test_a_button_is_shown_pressed_and_answered(telegram: TelegramServer) -> None:
    chat = client(telegram)
    chat.say(CHAT, "Stop all?", [("Yes, stop all", "kill:yes"), ("No", "kill:no")])
    [row] = telegram.sent[0]["reply_markup"]["inline_keyboard"]
    assert [(one["text"], one["callback_data"]) for one in row] == [
        ("Yes, stop all", "kill:yes"), ("No", "kill:no"),
    ]  # fmt: skip
    number = telegram.press("kill:yes")
    [pressed] = chat.updates(0, 0)
    assert (pressed.number, pressed.text, pressed.chat) == (number, "kill:yes", CHAT)
    assert pressed.press
    assert pressed.sent_at is None
    chat.answer(pressed.press, "Stopped.")
    assert telegram.answered == [{"callback_query_id": pressed.press, "text": "Stopped."}]


def test_the_menu_shows_the_commands(telegram: TelegramServer) -> None:
    client(telegram).offer({"status": "how it is", "bots": "which there are"})
    assert telegram.commands == [
        {"command": "status", "description": "how it is"},
        {"command": "bots", "description": "which there are"},
    ]


def test_of_two_readers_the_first_is_told_of_the_other(telegram: TelegramServer) -> None:
    first, second = client(telegram), client(telegram)
    with ThreadPoolExecutor(2) as pool:
        polled = pool.submit(first.updates, 0, LONG_S)
        eventually(lambda: telegram.polls, lambda polls: polls == 1)
        other = pool.submit(second.updates, 0, LONG_S)
        with pytest.raises(ChannelBusy, match="Another program reads this bot's messages"):
            polled.result(LONG_S)
        second.close()
        assert other.result(LONG_S) == ()


def test_a_webhook_in_the_way_is_told(telegram: TelegramServer) -> None:
    telegram.has_webhook = True
    with pytest.raises(ChannelBusy, match="A webhook is set for this bot"):
        client(telegram).updates(0, 0)


def test_closing_ends_the_waiting_and_leaves_the_rest_alone(telegram: TelegramServer) -> None:
    chat = client(telegram)
    with ThreadPoolExecutor(1) as pool:
        polled = pool.submit(chat.updates, 0, LONG_S)
        eventually(lambda: telegram.polls, lambda polls: polls == 1)
        chat.close()
        assert polled.result(LONG_S) == ()
    assert chat.updates(0, LONG_S) == ()
    chat.say(CHAT, "Goodbye.")
    assert telegram.texts == [(CHAT, "Goodbye.")]


def test_a_poll_and_a_message_do_not_wait_for_each_other(telegram: TelegramServer) -> None:
    chat = client(telegram)
    with ThreadPoolExecutor(1) as pool:
        polled = pool.submit(chat.updates, 0, LONG_S)
        eventually(lambda: telegram.polls, lambda polls: polls == 1)
        chat.say(CHAT, "Meanwhile.")
        assert not polled.done()
        chat.close()
        polled.result(LONG_S)


@pytest.mark.parametrize("fault", ["down", "broken", "bad_gateway", "cut", "garbage"])
def test_a_poll_that_fails_can_be_asked_again(telegram: TelegramServer, fault: str) -> None:
    telegram.faulty.add("getUpdates")
    telegram.write("/status")
    telegram.fail(fault)
    chat = client(telegram)
    with pytest.raises(ChannelBusy) as caught:
        chat.updates(0, 0)
    assert TOKEN.partition(":")[2] not in repr(caught.value) + caught.value.answer
    assert [one.text for one in chat.updates(0, 0)] == ["/status"]


def test_an_answer_that_is_taken_without_a_word_is_uncertain(telegram: TelegramServer) -> None:
    telegram.fail("cut_after_accept")
    with pytest.raises(ChannelUnsure):
        client(telegram).say(CHAT, "Sold.")
    assert telegram.texts == [(CHAT, "Sold.")]


def test_a_token_that_was_revoked_is_told(telegram: TelegramServer) -> None:
    telegram.token = "123456789:another-token-of-the-loopback-telegr"
    with pytest.raises(ChannelRefused, match="@BotFather") as caught:
        client(telegram).updates(0, 0)
    assert caught.value.field == "token"


def test_the_title_is_bold_and_no_letter_is_taken_for_formatting(telegram: TelegramServer) -> None:
    registry = NotifierRegistry(telegram_url=telegram.url, timeout_s=30)
    registry.make(ChannelKind.TELEGRAM, settings(), {}).send(
        message("*a* _b_ <i>c</i>", title="Bot 🚀")
    )
    [sent] = telegram.sent
    assert sent["text"] == "Bot 🚀\n*a* _b_ <i>c</i>"
    assert "parse_mode" not in sent
    assert sent["entities"] == [{"type": "bold", "offset": 0, "length": 6}]  # UTF-16 units


def test_no_thread_is_left_behind(telegram: TelegramServer) -> None:
    chat = client(telegram)
    chat.say(CHAT, "one")
    before = threading.active_count()
    for number in range(5):
        chat.say(CHAT, str(number))
    eventually(threading.active_count, lambda count: count <= before)
