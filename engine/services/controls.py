"""Controls above every bot: latched in the database and in a file, so that they outlive both."""

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.domain.controls import (
    EVERYTHING,
    Scope,
    forbids_entries,
    from_text,
    in_force,
    normal_key,
    scope_of,
    strongest,
    to_text,
)
from engine.domain.records import KillLevel, KillSwitch, Level, ScopeKind
from engine.errors import ConfigError, StoreError
from engine.services.books import Books, Writing
from engine.services.latch_file import UNREADABLE, LatchFile

log = logging.getLogger("quarterdeck.controls")

SETTING = "kill_switch"


@dataclass(frozen=True)
class _Change:
    """A control that is in force and not in the database yet, and how it is told of."""

    switch: KillSwitch
    severity: Level = Level.WARNING


class Controls:
    """What a person or the breaker has ordered to stop: everything, an account, a bot, a symbol.

    ``wake`` is called as soon as a control is in force, to carry it out at once.
    """

    def __init__(
        self, books: Books, latch_file: Path, wake: Callable[[], None] = lambda: None
    ) -> None:
        self._books = books
        self._file = LatchFile(latch_file)
        self._wake = wake
        self._switches: dict[Scope, KillSwitch] = {}
        self._unsaved: list[_Change] = []
        self._lock = threading.Lock()  # memory and the file; never held while the database is
        self._saving = threading.Lock()  # one writer of the setting at a time

    # --- what is in force -----------------------------------------------------------------------

    @property
    def switches(self) -> Sequence[KillSwitch]:
        """Every control in force, those on everything first."""
        order = list(ScopeKind)
        found = list(self._switches.values())
        return sorted(found, key=lambda one: (order.index(one.scope), one.key))

    @property
    def switch(self) -> KillSwitch:
        """The kill switch: the control on everything."""
        return self._switches.get(EVERYTHING, KillSwitch())

    @property
    def level(self) -> KillLevel:
        """How far the kill switch goes."""
        return self.switch.level

    def level_for(self, *, account_id: str, bot_id: str, symbol: str) -> KillLevel:
        """How far the strongest control goes that concerns this."""
        switch = in_force(self._switches, account_id=account_id, bot_id=bot_id, symbol=symbol)
        return switch.level

    def objection(
        self, *, account_id: str, bot_id: str, symbol: str, is_manual: bool = False
    ) -> str | None:
        """Why nothing new may be opened now, or None; ``is_manual``: a person's own order.

        A latch that was just written past the API counts already.
        """
        if self._file.has_changed():
            self._heed_file()
        switch = in_force(self._switches, account_id=account_id, bot_id=bot_id, symbol=symbol)
        if not forbids_entries(switch.level, is_manual=is_manual):
            return None
        reason = f" ({switch.reason})" if switch.reason else ""
        if switch.scope is ScopeKind.EVERYTHING:
            return f"the kill switch is on: {_words(switch)}{reason}"
        return f"the control '{_words(switch)}' is on for {self._name(switch)}{reason}"

    # --- commands -------------------------------------------------------------------------------

    def set(
        self,
        level: KillLevel,
        actor: str,
        scope: ScopeKind = ScopeKind.EVERYTHING,
        key: str = "",
        reason: str = "",
    ) -> KillSwitch:
        """Latch a level; ``none`` releases it. A stronger one is in force before it is written,
        a weaker one only once the database agrees. Raises ConfigError, StoreError."""
        switch = self._make(level, actor, scope, key, reason)
        known = self._switches.get(scope_of(switch), KillSwitch())
        if level.strength < known.level.strength or level is KillLevel.NONE:
            self._loosen(switch)
            return switch
        is_latched = self._tighten(switch, Level.WARNING)
        try:
            self.save()
        except StoreError as error:
            if not is_latched:
                raise  # in force, but a restart would forget it
            log.error("a control is latched in its file only, for now: %s", error)
        return switch

    def trip(self, level: KillLevel, scope: ScopeKind, key: str, reason: str) -> None:
        """Latch what the breaker has found, never weaker than what is on. Waits for no database:
        the next ``take_latch`` writes it, so that it may be called on any lane."""
        switch = self._make(level, "breaker", scope, key, reason)
        known = self._switches.get(scope_of(switch), KillSwitch())
        if level.strength > known.level.strength:
            self._tighten(switch, Level.ERROR)

    def _make(
        self, level: KillLevel, actor: str, scope: ScopeKind, key: str, reason: str
    ) -> KillSwitch:
        try:
            key = normal_key(scope, key)
        except ValueError as error:
            raise ConfigError(f"{str(error).capitalize()}.", field="key") from error
        now = self._books.clock.now()
        return KillSwitch(scope=scope, key=key, level=level, actor=actor, since=now, reason=reason)

    def _tighten(self, switch: KillSwitch, severity: Level) -> bool:
        """Put a control in force; whether the latch file has it."""
        with self._lock:
            self._switches = {**self._switches, scope_of(switch): switch}
            self._unsaved.append(_Change(switch, severity))
            self._wake()  # a disk may be slow
            return self._write_file()

    def _loosen(self, switch: KillSwitch) -> None:
        """A failed release must stay latched: memory and file follow the database."""
        scope = scope_of(switch)
        with self._saving:
            with self._lock:
                self._follow_file()
                known = self._switches.get(scope)
                left = strongest({**self._switches, scope: switch}.values())
            with self._books.writing() as writing:
                writing.tx.put_setting(SETTING, to_text(left.values()))
                self._tell(writing, _Change(switch, Level.INFO))
            with self._lock:
                if self._switches.get(scope) is not known:
                    return  # pulled again meanwhile
                before = self._switches
                self._switches = strongest({**before, scope: switch}.values())
                self._unsaved = [one for one in self._unsaved if scope_of(one.switch) != scope]
                if not self._write_file(loosened=known):
                    self._switches = before
                    raise StoreError("The latch file cannot be changed, so the control stays on.")

    # --- keeping --------------------------------------------------------------------------------

    def load(self) -> None:
        """Take up the stronger of what the database and the latch file say, by scope."""
        with self._books.store.reading() as tx:
            stored = tx.find_setting(SETTING)
        try:
            kept = from_text(stored) if stored else []
        except ValueError:
            log.error("the controls in the database cannot be read")
            kept = [UNREADABLE.model_copy(update={"reason": "the kept controls are unreadable"})]
        with self._lock:
            self._switches = strongest(kept)
            self._follow_file()
            if self._switches:
                self._write_file()

    def take_latch(self) -> None:
        """Honour a latch file that was written past the API, as the CLI does when it must, and
        write to the database what it does not have yet. Raises StoreError."""
        self._heed_file()
        if self._unsaved:
            self.save()

    def _heed_file(self) -> None:
        """Put in force what the file has; the database follows at the next ``take_latch``."""
        with self._lock:
            has_more = self._follow_file()
        if has_more:
            self._wake()

    def save(self) -> None:
        """Bring the database up to what is in force. Raises StoreError."""
        with self._saving:
            with self._lock:
                changes = list(self._unsaved)
            with self._books.writing() as writing:
                with self._lock:
                    text = to_text(self._switches.values())
                writing.tx.put_setting(SETTING, text)
                for change in changes:
                    self._tell(writing, change)
            with self._lock:
                self._unsaved = [one for one in self._unsaved if one not in changes]

    def _follow_file(self) -> bool:
        """Take up what the file has and memory does not; whether there was any."""
        latched = [self._resolved(one) for one in self._file.read()]
        merged = strongest([*self._switches.values(), *latched])
        fresh = [one for scope, one in merged.items() if self._switches.get(scope) is not one]
        self._switches = merged
        self._unsaved.extend(_Change(one) for one in fresh)
        return bool(fresh)

    def _write_file(self, loosened: KillSwitch | None = None) -> bool:
        """Replace the file. What somebody has latched in it meanwhile stays; what was ``loosened``
        goes, unless it was pulled harder there."""
        others = [self._resolved(one) for one in self._file.read()]
        if loosened is not None:
            others = [
                one
                for one in others
                if scope_of(one) != scope_of(loosened)
                or one.level.strength > loosened.level.strength
            ]
        try:
            self._file.write(strongest([*self._switches.values(), *others]).values())
        except OSError as error:
            log.error("the latch file cannot be written: %s", error)
            return False
        return True

    def _resolved(self, switch: KillSwitch) -> KillSwitch:
        """A bot may be latched by its name where nobody could look up its id."""
        if switch.scope is not ScopeKind.BOT or switch.key in self._books.bots:
            return switch
        bot = self._books.find_by_name(switch.key)
        return switch.model_copy(update={"key": bot.id}) if bot else switch

    def _tell(self, writing: Writing, change: _Change) -> None:
        switch = change.switch
        is_all = switch.scope is ScopeKind.EVERYTHING
        kind = "kill_switch" if is_all else "control"
        bot_id = switch.key if switch.scope is ScopeKind.BOT else None
        writing.event(change.severity, kind, self._sentence(switch), bot_id, actor=switch.actor,
                      control=switch.level.value)  # fmt: skip
        subject = switch.level.value if is_all else f"{switch.scope.value}:{switch.key}"
        writing.audit(switch.actor, kind, subject, level=switch.level.value, reason=switch.reason)

    def _sentence(self, switch: KillSwitch) -> str:
        is_all = switch.scope is ScopeKind.EVERYTHING
        reason = f" ({switch.reason})" if switch.reason else ""
        if switch.level is KillLevel.NONE:
            what = "The kill switch" if is_all else f"The control on {self._name(switch)}"
            return f"{what} was released{reason}."
        if is_all:
            return f"The kill switch was pulled: {_words(switch)}{reason}."
        return f"The control '{_words(switch)}' was set on {self._name(switch)}{reason}."

    def _name(self, switch: KillSwitch) -> str:
        """What a control is on, as a person knows it."""
        if switch.scope is ScopeKind.BOT:
            bot = self._books.bots.get(switch.key)
            return f"the bot {bot.config.name if bot else switch.key}"
        return f"the account {switch.key}" if switch.scope is ScopeKind.ACCOUNT else switch.key


def _words(switch: KillSwitch) -> str:
    return switch.level.value.replace("_", " ")
