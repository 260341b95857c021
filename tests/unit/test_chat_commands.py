"""How commands of a chat are read, and how answers are made to fit."""

import pytest

from engine.domain.chat_commands import (
    LONGEST,
    MOST_WAITING,
    Action,
    Command,
    Confirmations,
    Unconfirmed,
    Unmatched,
    Verb,
    bounded,
    find_bot,
    parse,
    units,
)
from tests.fakes.clock import START

ME = "@deck_bot"


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/status", Command(Verb.STATUS, "status")),
        ("/START", Command(Verb.HELP, "help")),
        ("/stop@Deck_Bot  Grid   BTC ", Command(Verb.STOP, "stop", "Grid BTC")),
        ("/pause a\n/kill", Command(Verb.PAUSE, "pause", "a")),
        ("/fly now", Command(None, "fly", "now")),
        ("/", Command(None, "")),
        ("/kill@other_bot", None),
        ("kill", None),
    ],
)
def test_what_is_written_is_read(text: str, command: Command | None) -> None:
    assert parse(text, ME) == command


def test_a_whole_name_goes_before_the_beginning_of_another() -> None:
    names = {"b1": "Grid", "b2": "Grid B", "b3": "Été"}
    assert find_bot("grid", names) == "b1"
    assert find_bot("grid b", names) == "b2"
    assert find_bot("É", names) == "b3"
    assert find_bot("b2", names) == "b2"
    with pytest.raises(Unmatched, match="may mean 'Grid', 'Grid B'"):
        find_bot("gri", names)


@pytest.mark.parametrize("row", ["x" * 99, "🚀" * 50])
@pytest.mark.parametrize("count", [0, 1, 39, 40, 41, 42, 500])
def test_an_answer_fits_and_says_what_is_left_out(row: str, count: int) -> None:
    text = bounded(["head"], [row] * count, "bots")
    shown = text.splitlines().count(row)
    assert units(text) <= LONGEST
    assert ("more bots" in text) == (shown < count)
    if shown < count:
        assert f"and {count - shown} more bots" in text


def test_old_questions_give_way() -> None:
    waiting = Confirmations()
    for number in range(MOST_WAITING + 1):
        waiting.ask(str(number), Action(Verb.KILL), "1", "2", START)
    assert waiting.find("1", "1", "2", START) == Action(Verb.KILL)
    with pytest.raises(Unconfirmed):
        waiting.find("0", "1", "2", START)
