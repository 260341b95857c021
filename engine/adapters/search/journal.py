"""The record of a study's searches: a journal file that survives being killed in the middle."""

from pathlib import Path

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

from engine.errors import StoreError

LOCK_GRACE_S = 5


def open_journal(path: Path) -> JournalStorage:
    """The journal at ``path``, mended. Raises StoreError when it cannot be read or written.

    Only one process may have it open. Its lock is a file made with O_EXCL, which works on Windows
    and on network drives as well; one that a killed process left behind is taken over.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_name(f"{path.name}.lock").unlink(missing_ok=True)
        _mend(path)
        lock = JournalFileOpenLock(str(path), grace_period=LOCK_GRACE_S)
        return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
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
