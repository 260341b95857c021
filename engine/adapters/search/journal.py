"""The record of a study's searches: a journal file that survives being killed in the middle."""

import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from engine.errors import StoreError

LOCK_GRACE_S = 5


class BatchedJournal(JournalFileBackend):
    """Optuna's journal file, written a batch of trials at a time: the disk is waited for twice a
    batch and not six times a trial. Between two flushes nothing is promised to be kept; what was
    lost is asked for, and answered, once more."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), JournalFileOpenLock(str(path), grace_period=LOCK_GRACE_S))
        self._written = sum(1 for _ in super().read_logs(0))
        self._pending: list[dict[str, Any]] = []
        self._guard = threading.RLock()

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """From the file, and what is to be written to it."""
        with self._guard:
            found: list[dict[str, Any]] = []
            if log_number_from < self._written:
                found += super().read_logs(log_number_from)
            found += self._pending[max(0, log_number_from - self._written) :]
        yield from found

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Kept until the next flush."""
        with self._guard:
            self._pending += logs

    def flush(self) -> None:
        """Write everything down. Raises StoreError when the disk refuses."""
        with self._guard:
            if not self._pending:
                return
            try:
                super().append_logs(self._pending)
            except OSError as error:
                raise StoreError(f"The study's record cannot be written: {error}.") from error
            self._written += len(self._pending)
            self._pending = []


def open_journal(path: Path) -> tuple[JournalStorage, BatchedJournal]:
    """The journal at ``path``, mended. Raises StoreError when it cannot be read or written.

    Only one process may have it open. Its lock is a file made with O_EXCL, which works on Windows
    and on network drives as well; one that a killed process left behind is removed.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
        _mend(path)
        journal = BatchedJournal(path)
        return JournalStorage(journal), journal
    except OSError as error:
        raise StoreError(f"The study's record {path} cannot be used: {error.strerror}.") from error
    except ValueError as error:
        raise StoreError(f"The study's record {path} is damaged: {error}") from error


def _mend(path: Path) -> None:
    """Cut off a last line that was not written to its end, before more is written behind it."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)
