"""The kill switch: latched in the database and in a file, so that it outlives both processes."""

import json
import logging
import threading
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from engine.domain.records import KillLevel, KillSwitch, Level
from engine.errors import StoreError
from engine.services.books import Books

log = logging.getLogger("quarterdeck.controls")

SETTING = "kill_switch"
ORDER = list(KillLevel)


class Controls:
    """What a person has ordered to stop, above every bot."""

    def __init__(self, books: Books, latch_file: Path) -> None:
        self._books = books
        self._latch_file = latch_file
        self.switch = KillSwitch()
        self._lock = threading.Lock()

    @property
    def level(self) -> KillLevel:
        """The level in force."""
        return self.switch.level

    def load(self) -> None:
        """Take up the stronger of what the database and the latch file say."""
        with self._books.store.reading() as tx:
            stored = tx.find_setting(SETTING)
        found = [KillSwitch.model_validate_json(stored)] if stored else []
        latched = self._latched()
        if latched is not None:
            found.append(latched)
        self.switch = max(found, key=lambda one: ORDER.index(one.level), default=KillSwitch())

    def take_latch(self) -> None:
        """Honour a latch file that was written past the API, as the CLI does when it must."""
        with self._lock:
            latched = self._latched()
            if latched is None or ORDER.index(latched.level) <= ORDER.index(self.level):
                return
            self.switch = latched
            self._write(latched, Level.WARNING, _pulled(latched.level))

    def _latched(self) -> KillSwitch | None:
        try:
            return KillSwitch.model_validate(json.loads(self._latch_file.read_text("utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, ValidationError):
            # A latch that cannot be read was still pulled by somebody: stay on the safe side.
            return KillSwitch(level=KillLevel.PAUSE_ENTRIES, actor="unreadable latch file")

    def set(self, level: KillLevel, actor: str) -> KillSwitch:
        """Latch a level (``none`` releases it). In force at once, before it is written."""
        with self._lock:
            return self._set(level, actor, self._books.clock.now())

    def _set(self, level: KillLevel, actor: str, now: datetime) -> KillSwitch:
        switch = KillSwitch(level=level, actor=actor, since=now)
        if level is KillLevel.NONE:
            # Released only once the database agrees: a failed release must stay latched.
            self._write(switch, Level.INFO, "The kill switch was released.")
            self.switch = switch
            self._latch_file.unlink(missing_ok=True)
            return switch
        self.switch = switch
        is_latched = self._write_latch()
        try:
            self._write(switch, Level.WARNING, _pulled(level))
        except StoreError as error:
            if not is_latched:
                raise  # in force, but a restart would forget it
            log.error("the kill switch is latched in its file only: %s", error)
        return switch

    def _write_latch(self) -> bool:
        """Whether the latch file could be written."""
        try:
            self._latch_file.write_text(self.switch.model_dump_json(), "utf-8")
        except OSError as error:
            log.error("the kill switch's file cannot be written: %s", error)
            return False
        return True

    def _write(self, switch: KillSwitch, severity: Level, message: str) -> None:
        with self._books.writing() as writing:
            writing.tx.put_setting(SETTING, switch.model_dump_json())
            writing.event(severity, "kill_switch", message)
            writing.audit(switch.actor, "kill_switch", switch.level.value)


def _pulled(level: KillLevel) -> str:
    return f"The kill switch was pulled: {level.value.replace('_', ' ')}."
