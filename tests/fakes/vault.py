"""A vault without a lock: what is sealed in it can be read by a test."""

from engine.errors import ConfigError


class FakeVault:
    """Implements ``Vault``; with ``is_locked`` every call says that there is no key."""

    def __init__(self) -> None:
        self.is_locked = False
        self._count = 0

    def seal(self, account_id: str, name: str, value: str) -> str:
        """The value backwards, with where it belongs."""
        self._check()
        self._count += 1
        return f"{account_id}|{name}|{self._count}|{value[::-1]}"

    def open(self, account_id: str, name: str, sealed: str) -> str:
        """Raises ConfigError for another's."""
        self._check()
        owner, its_name, _, value = (*sealed.split("|", 3), "", "", "", "")[:4]
        if (owner, its_name) != (account_id, name):
            raise ConfigError(f"The secret '{name}' does not open with this engine's key.")
        return value[::-1]

    def _check(self) -> None:
        if self.is_locked:
            raise ConfigError("The key that the accounts' secrets were sealed with is gone.")
