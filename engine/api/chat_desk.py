"""What commands of a chat do: over the services that the API uses, with the same rules."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from engine.api.chat_texts import (
    Earned,
    bots_text,
    kill_question,
    positions_text,
    profit_text,
    status_text,
    waiting_entries,
    words_of,
)
from engine.api.control_desk import ControlDesk
from engine.api.views import Views
from engine.contracts import BotView, ControlRequest, KillLevel, ScopeKind
from engine.domain.bots import ACTIVE_STATES, Bot, BotState, Desired
from engine.domain.chat_commands import (
    EVERYTHING,
    Action,
    Answer,
    Command,
    Verb,
    bounded,
    find_bot,
)
from engine.domain.money import ZERO
from engine.errors import LeaseLost, NotFound, QuarterdeckError, StoreError
from engine.ports import Venues
from engine.services.books import Books
from engine.services.bots import BotService
from engine.services.pulse import Pulse

WEEK = timedelta(days=7)
KILL = KillLevel.CANCEL_ORDERS
"""As the CLI's ``kill`` does without a level."""
AT_REST = (BotState.STOPPED, BotState.FAULTED)


@dataclass(frozen=True)
class ChatDesk:
    """Implements ``services.converse.Carrier``; used from the pollers' threads."""

    books: Books
    views: Views
    bots: BotService
    controls: ControlDesk
    venues: Venues
    pulse: Pulse

    def carry_out(self, command: Command, actor: str) -> Answer:
        """See Carrier."""
        reading: Mapping[Verb | None, Callable[[], str]] = {
            Verb.STATUS: self._status,
            Verb.BOTS: lambda: bots_text(self._bot_views()),
            Verb.POSITIONS: lambda: positions_text(self.views.open_positions()),
            Verb.PROFIT: lambda: profit_text(self._earned()),
        }
        if command.verb in reading:
            return Answer(reading[command.verb]())
        if command.verb is Verb.KILL:
            return self._ask_kill()
        if command.verb is Verb.STOP:
            return self._ask_stop(command.argument)
        is_pause = command.verb is Verb.PAUSE
        if command.argument.casefold() in ("", EVERYTHING):
            return self._ask_all(is_pause=is_pause)
        bot = self._find(command.argument)
        return Answer(self._pause(bot, actor) if is_pause else self._resume(bot, actor))

    def confirmed(self, action: Action, actor: str) -> str:
        """See Carrier."""
        if action.verb is Verb.KILL:
            return self._kill(actor)
        if action.verb is Verb.STOP:
            return self._stop(self.books.get_bot(action.bot_id), actor)
        return self._all(is_pause=action.verb is Verb.PAUSE, actor=actor)

    # --- reading ----------------------------------------------------------------------------------

    def _bots(self) -> list[Bot]:
        bots = list(self.books.bots.values())  # one step: commands change it meanwhile
        bots.sort(key=lambda bot: (bot.created_at, bot.id))
        return bots

    def _bot_views(self) -> Sequence[BotView]:
        return [self.views.bot(bot) for bot in self._bots()]

    def _status(self) -> str:
        up = self.books.clock.now() - self.pulse.started_at
        return status_text(self._bot_views(), self.controls.switches(), up)

    def _earned(self) -> list[Earned]:
        """By asset. Replays are left out: their time is another."""
        now = self.books.clock.now()
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        with self.books.store.reading() as tx:
            ever, week, today = (
                self._sums(tx.trades.values("quote", "pnl", "market", since=since))
                for since in (None, now - WEEK, midnight)
            )
        still = self._open_profits()
        return [
            Earned(
                quote, today.get(quote, ZERO), week.get(quote, ZERO), ever.get(quote, ZERO),
                still.get(quote, ZERO),
            )
            for quote in sorted({*ever, *still})
        ]  # fmt: skip

    def _sums(self, rows: Iterable[tuple[Any, ...]]) -> dict[str, Decimal]:
        is_replay = cache(self._is_replay)
        sums: dict[str, Decimal] = {}
        for quote, pnl, market in rows:
            if not is_replay(market):
                sums[quote] = sums.get(quote, ZERO) + pnl
        return sums

    def _open_profits(self) -> dict[str, Decimal | None]:
        """Of open positions by asset; None where one of them has no price."""
        sums: dict[str, Decimal | None] = {}
        for one in self.views.open_positions():
            if not self._is_replay(one.market):
                before, pnl = sums.get(one.quote, ZERO), one.unrealised_pnl
                sums[one.quote] = None if before is None or pnl is None else before + pnl
        return sums

    def _is_replay(self, market: str) -> bool:
        try:
            return self.venues.is_stepped(market)
        except NotFound:  # of a trade whose market is gone
            return False

    # --- bots -------------------------------------------------------------------------------------

    def _find(self, key: str) -> Bot:
        """Raises Unmatched."""
        names = {bot.id: bot.config.name for bot in self._bots()}
        return self.books.get_bot(find_bot(key, names))

    def _pause(self, bot: Bot, actor: str) -> str:
        if not _can_pause(bot):
            return _as_it_is(bot)
        self.bots.pause(bot.id, actor)
        return f"{bot.config.name} opens nothing more; its exits go on."

    def _resume(self, bot: Bot, actor: str) -> str:
        """Only what was paused: a bot at rest is started where its name confirms real money."""
        if not _can_resume(bot):
            more = "" if bot.state in ACTIVE_STATES else " It is started in the panel."
            return _as_it_is(bot) + more
        self.bots.start(bot.id, actor)
        return f"{bot.config.name} goes on.{self._objection(bot)}"

    def _objection(self, bot: Bot) -> str:
        """Why a bot that goes on opens nothing yet."""
        why = self.controls.controls.objection(
            account_id=bot.account_id, bot_id=bot.id, symbol=bot.symbol
        ) or self.books.account_objection(bot.account_id)
        return f" It opens nothing for now: {why}." if why else ""

    def _ask_stop(self, key: str) -> Answer:
        if not key:
            return Answer("Which one? Write /stop and its name; /bots lists them.")
        bot = self._find(key)
        if bot.state in AT_REST and bot.desired is Desired.STOPPED:
            return Answer(_as_it_is(bot))
        held = bot.id in self.books.positions
        more = " It holds a position, which is kept, and nobody watches it then." if held else ""
        return Answer(f"Stop {bot.config.name}?{more}", Action(Verb.STOP, bot.id), "Stop it")

    def _stop(self, bot: Bot, actor: str) -> str:
        self.bots.stop(bot.id, actor, close_position=False)
        kept = " Its position is kept." if bot.id in self.books.positions else ""
        return f"{bot.config.name} is being stopped.{kept}"

    def _ask_all(self, *, is_pause: bool) -> Answer:
        count = len(self._meant(is_pause=is_pause))
        if not count:
            return Answer("No bot is running." if is_pause else "No bot is paused.")
        bots = "1 bot" if count == 1 else f"{count} bots"
        if is_pause:
            words = f"Pause {bots}? Nothing new is opened; exits go on."
            return Answer(words, Action(Verb.PAUSE), "Pause all")
        return Answer(f"Let {bots} go on?", Action(Verb.RESUME), "Resume all")

    def _meant(self, *, is_pause: bool) -> list[Bot]:
        return [bot for bot in self._bots() if (_can_pause if is_pause else _can_resume)(bot)]

    def _all(self, *, is_pause: bool, actor: str) -> str:
        """One that fails keeps none of the others from it."""
        done, failed = 0, []
        for bot in self._meant(is_pause=is_pause):
            try:
                (self.bots.pause if is_pause else self.bots.start)(bot.id, actor)
            except LeaseLost:
                raise
            except QuarterdeckError as error:
                failed.append(f"Not {bot.config.name}: {error.message}")
            else:
                done += 1
        lines = [f"{'Paused' if is_pause else 'Resumed'}: {done}"]
        if not is_pause and self.controls.controls.level is not KillLevel.NONE:
            lines.append("Nothing is opened before the kill switch is released in the panel.")
        return bounded(lines, failed, "bots")

    # --- the kill switch --------------------------------------------------------------------------

    def _ask_kill(self) -> Answer:
        level = self.controls.controls.level
        if level.strength >= KILL.strength:
            return Answer(_is_on(level))
        return Answer(kill_question(self.books), Action(Verb.KILL), "Pull it")

    def _kill(self, actor: str) -> str:
        level = self.controls.controls.level
        if level.strength >= KILL.strength:  # a weaker one would loosen it
            return _is_on(level)
        waiting = waiting_entries(self.books)
        request = ControlRequest(scope=ScopeKind.EVERYTHING, level=KILL, reason="by Telegram")
        try:
            switch = self.controls.set_control(request, actor)
        except StoreError as error:
            return f"The kill switch is on, but a restart of the engine forgets it: {error.message}"
        kept = len(self.books.positions)
        return (
            f"The kill switch is on: {words_of(switch.level)}. Entries being taken back: {waiting}."
            f" Positions kept: {kept}. It stays on until it is released in the panel."
        )


def _can_pause(bot: Bot) -> bool:
    return bot.state in ACTIVE_STATES and bot.desired is Desired.RUNNING


def _can_resume(bot: Bot) -> bool:
    return bot.state in ACTIVE_STATES and bot.desired is Desired.PAUSED


def _as_it_is(bot: Bot) -> str:
    """Nothing is to be done."""
    state = bot.state
    if state in ACTIVE_STATES and bot.desired is Desired.PAUSED:
        return f"{bot.config.name} is paused already."
    return f"{bot.config.name} is {state.value}."


def _is_on(level: KillLevel) -> str:
    return f"The kill switch is on already: {words_of(level)}."
