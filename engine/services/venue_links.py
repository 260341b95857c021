"""Which accounts can be reached: told by every call that fails or works."""

import threading


class VenueLinks:
    """Remembers accounts whose venue did not answer, and those that came back. Thread-safe."""

    def __init__(self) -> None:
        self._down: dict[str, str] = {}
        self._back: set[str] = set()
        self._lock = threading.Lock()

    def failed(self, account_id: str, message: str) -> None:
        """A call could not be made."""
        with self._lock:
            self._down[account_id] = message
            self._back.discard(account_id)

    def worked(self, account_id: str) -> None:
        """A call was answered; after a failure that is a reconnect."""
        if account_id not in self._down:
            return
        with self._lock:
            if self._down.pop(account_id, None) is not None:
                self._back.add(account_id)

    def reconnected(self, account_id: str) -> None:
        """Something may have been missed, whatever calls say: a stream came back."""
        with self._lock:
            self._back.add(account_id)

    def trouble(self, account_id: str) -> str:
        """Why an account cannot be reached; empty when it can."""
        return self._down.get(account_id, "")

    def take_reconnected(self) -> set[str]:
        """Accounts that came back since this was asked last: what was missed must be looked up."""
        with self._lock:
            back, self._back = self._back, set()
        return back
