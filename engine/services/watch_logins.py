"""Logins that are given for a day: that one has ended is told once, before it is missed."""

from engine.domain.records import Level
from engine.errors import Conflict
from engine.services.books import Books

KIND = "account.expired"


class LoginWatcher:
    """Blocking, for a thread of its own."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._told: set[str] = set()

    def check(self) -> None:
        """One round over the accounts that a person has added. Raises StoreError."""
        now = self._books.clock.now()
        for account in list(self._books.venue_accounts.values()):
            ended = account.expires_at
            if ended is None or now < ended or not account.is_enabled:
                continue
            name = f"expired-{account.id}-{ended:%Y%m%dT%H%M%S}"
            if name not in self._told:
                self._tell(name, f"The login of the account '{account.name}' has ended: its bots"
                           " open nothing. Log in again on the Accounts page.",
                           account.trading_id)  # fmt: skip
                self._told.add(name)

    def _tell(self, name: str, words: str, account_id: str) -> None:
        try:
            with self._books.writing() as writing:
                writing.event(Level.WARNING, KIND, words, event_id=name, account_id=account_id)
        except Conflict:
            return  # told before the engine was started again
