"""Commands written in a chat: what there is, how it is read, and what waits for a confirmation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

EVERYTHING = "all"
LONGEST = 4_096
"""Of a message, in UTF-16 units: Telegram's."""
LONGEST_ARGUMENT = 100
MOST_NAMES = 8
"""Bots that an answer lists where a name fits several."""

CODE_LIVES = timedelta(seconds=60)
MOST_WAITING = 50
"""Questions of one chat program that are open at a time; the oldest goes."""


class Verb(StrEnum):
    """What can be asked or commanded."""

    STATUS = "status"
    BOTS = "bots"
    POSITIONS = "positions"
    PROFIT = "profit"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    KILL = "kill"
    HELP = "help"


CHANGING = frozenset({Verb.PAUSE, Verb.RESUME, Verb.STOP, Verb.KILL})
"""They need a channel whose chat may trade."""

MENU: Mapping[Verb, str] = {
    Verb.STATUS: "engine, kill switch, bots, equity",
    Verb.BOTS: "all bots, with today's profit",
    Verb.POSITIONS: "open positions",
    Verb.PROFIT: "closed trades: today, 7 days, all",
    Verb.PAUSE: "a bot, or all: nothing new is opened",
    Verb.RESUME: "a paused bot, or all",
    Verb.STOP: "a bot; its position is kept",
    Verb.KILL: "pull the kill switch",
    Verb.HELP: "what can be asked here",
}
USES: Mapping[Verb, str] = {
    Verb.PAUSE: "[bot or all]", Verb.RESUME: "[bot or all]", Verb.STOP: "BOT",
}  # fmt: skip


@dataclass(frozen=True)
class Command:
    """What somebody wrote. ``verb`` is None for a word that is no command of ours, which is
    ``word`` then; ``argument`` is the rest of the line."""

    verb: Verb | None
    word: str
    argument: str = ""


@dataclass(frozen=True)
class Action:
    """What a confirmation sets going; ``bot_id`` empty: all bots, or the engine as a whole."""

    verb: Verb
    bot_id: str = ""


@dataclass(frozen=True)
class Answer:
    """What is said; with an ``action`` it is a question, and ``button`` is what says yes to it."""

    text: str
    action: Action | None = None
    button: str = ""


class Unmatched(ValueError):
    """No bot, or more than one, is meant by a name; the sentence says what to do."""


class Unconfirmed(ValueError):
    """A button that does nothing (any more); the sentence says why."""


# --- reading ------------------------------------------------------------------------------------


def commands_of(*, can_trade: bool) -> dict[str, str]:
    """Commands with what each does, as a menu shows them."""
    return {str(verb): told for verb, told in MENU.items() if can_trade or verb not in CHANGING}


def parse(text: str, me: str) -> Command | None:
    """What a message commands; None when it is none, or is addressed to another than ``me`` (the
    bot's @name)."""
    first, _, rest = text.strip().partition("\n")[0].partition(" ")
    if not first.startswith("/"):
        return None
    word, _, addressed = first[1:].partition("@")
    if addressed and f"@{addressed}".casefold() != me.casefold():
        return None
    word = word.casefold()
    argument = " ".join(rest.split())[:LONGEST_ARGUMENT]
    if word == "start":  # what the button of a new chat writes
        word = Verb.HELP.value
    verb = Verb(word) if word in list(Verb) else None
    return Command(verb, word[:LONGEST_ARGUMENT], argument)


def find_bot(key: str, names: Mapping[str, str]) -> str:
    """The id of the bot that ``key`` means: its id, its name, or the beginning of one name alone,
    whatever the case. ``names`` by id. Raises Unmatched."""
    if key in names:
        return key
    wanted = key.casefold()
    for bot_id, name in names.items():
        if name.casefold() == wanted:
            return bot_id
    found = [bot_id for bot_id, name in names.items() if name.casefold().startswith(wanted)]
    if not found:
        raise Unmatched(f"There is no bot whose name begins with '{key}'. /bots lists them.")
    if len(found) > 1:
        shown = [f"'{name}'" for name in sorted(names[one] for one in found)[:MOST_NAMES]]
        more = f" and {len(found) - MOST_NAMES} more" if len(found) > MOST_NAMES else ""
        raise Unmatched(f"'{key}' may mean {', '.join(shown)}{more}. Write more of the name.")
    return found[0]


# --- confirming ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Waiting:
    action: Action
    chat: str
    user: str
    asked_at: datetime


class Confirmations:
    """Questions that wait for yes or no, each good for one press, within a minute, by the person
    who asked, where it was asked. Forgotten with the engine."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}

    def ask(self, code: str, action: Action, chat: str, user: str, now: datetime) -> None:
        """Keep a question under a code that nobody can guess."""
        self._waiting = {
            key: one for key, one in self._waiting.items() if _is_good(one, now)
        } | {code: _Waiting(action, chat, user, now)}  # fmt: skip
        while len(self._waiting) > MOST_WAITING:
            self._waiting.pop(next(iter(self._waiting)))

    def find(self, code: str, chat: str, user: str, now: datetime) -> Action:
        """What is confirmed by a press. Raises Unconfirmed."""
        waiting = self._waiting.get(code)
        if waiting is None or not _is_good(waiting, now):
            raise Unconfirmed("This button is used up or too old: write the command again.")
        if (waiting.chat, waiting.user) != (chat, user):
            raise Unconfirmed("Who has asked must confirm.")
        return waiting.action

    def done(self, code: str) -> None:
        """The code is used."""
        self._waiting.pop(code, None)


def _is_good(waiting: _Waiting, now: datetime) -> bool:
    """A clock that was set back makes no question good again."""
    return waiting.asked_at <= now <= waiting.asked_at + CODE_LIVES


# --- writing ------------------------------------------------------------------------------------


def units(text: str) -> int:
    """The length of a text as Telegram counts it."""
    return len(text.encode("utf-16-le")) // 2


def bounded(head: Sequence[str], rows: Sequence[str], what: str) -> str:
    """Lines that fit a message: as many of ``rows`` as do, and how many more ``what`` there are."""
    lines, room = list(head), LONGEST - sum(units(line) + 1 for line in head)
    for number, row in enumerate(rows):
        left = len(rows) - number
        tail = f"… and {left} more {what}: the panel shows all."
        room -= units(row) + 1
        if room < units(tail) + 1 and (left > 1 or room < 0):
            return "\n".join([*lines, tail])
        lines.append(row)
    return "\n".join(lines)


def help_text(*, can_trade: bool) -> str:
    """The commands of a chat."""
    rows = [
        " ".join(filter(None, (f"/{verb}", USES.get(Verb(verb), "")))) + f": {told}"
        for verb, told in commands_of(can_trade=can_trade).items()
    ]
    more = (
        "A bot is named by its name or the beginning of it. /pause all, /resume all, /stop and"
        " /kill ask first."
        if can_trade
        else "This chat may ask only; on the Alerts page its channel can be allowed to trade."
    )
    return "\n".join([*rows, more])
