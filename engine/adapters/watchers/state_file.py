"""The watcher's state in a JSON file that only its owner may read."""

import os
from pathlib import Path

from pydantic import ValidationError

from engine.domain.watch_outbox import WatcherState
from engine.errors import DataError

STATE_NAME = "watcher.json"
MODE = 0o600


class JsonWatcherFile:
    """``ports.WatcherFile``. Secrets of channels are in it as they are in the database: sealed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> WatcherState | None:
        """See WatcherFile."""
        try:
            return WatcherState.model_validate_json(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DataError(f"{self._path} cannot be read: {error.strerror}.") from error
        except ValidationError as error:
            raise DataError(f"{self._path} is damaged, or of another version.") from error

    def write(self, state: WatcherState, *, is_durable: bool) -> None:
        """See WatcherFile."""
        part = self._path.with_name(f"{self._path.name}.part")
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(state.model_dump_json())
                file.flush()
                if is_durable:
                    os.fsync(file.fileno())
            part.replace(self._path)
            if is_durable:
                _sync_folder(self._path.parent)
        except OSError as error:
            raise DataError(f"{self._path} cannot be written: {error.strerror}.") from error


def _sync_folder(folder: Path) -> None:
    """Make the file's name durable, where the system lets one."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
