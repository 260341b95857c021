"""Keeping the secrets of accounts."""

from typing import Protocol


class Vault(Protocol):
    """Seals secrets so that only this engine's key opens them. Thread-safe.

    Every call raises ConfigError, saying what to do, while there is no key that can be used.
    """

    def seal(self, account_id: str, name: str, value: str) -> str:
        """``value`` as ciphertext; each call gives another one."""
        ...

    def open(self, account_id: str, name: str, sealed: str) -> str:
        """What was sealed. Raises ConfigError for what was sealed by another key, for another
        account or name, or changed since."""
        ...
