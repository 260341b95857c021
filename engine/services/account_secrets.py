"""The secrets of an account: what is asked for, what was given, and how it is kept."""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.domain.venue_accounts import SealedSecret
from engine.errors import ConfigError
from engine.ports import Clock, Transaction, Vault, VenueAdapter

LONGEST_SECRET = 10_000


@dataclass(frozen=True)
class SecretKeeper:
    """Seals secrets into the store; they are opened in ``Connections`` alone."""

    vault: Vault
    clock: Clock

    def keep(self, tx: Transaction, account_id: str, secrets: Mapping[str, str]) -> None:
        """Insert or replace. Raises ConfigError while there is no key to seal with."""
        now = self.clock.now()
        for name, value in secrets.items():
            sealed = SealedSecret(
                id=f"{account_id}/{name}", account_id=account_id, name=name,
                sealed=self.vault.seal(account_id, name, value), updated_at=now,
            )  # fmt: skip
            if tx.secrets.find(sealed.id) is None:
                tx.secrets.add(sealed)
            else:
                tx.secrets.save(sealed)


def given_secrets(adapter: VenueAdapter, given: Mapping[str, str]) -> dict[str, str]:
    """What was typed, without the spaces that come along when a key is copied; empty ones are not
    given. Raises ConfigError naming ``secrets.<name>``."""
    fields = [field.name for field in adapter.secrets if not field.is_kept_by_login]
    for name, value in given.items():
        if name not in fields:
            # What was given may be a secret in the wrong place: it is not repeated.
            known = ", ".join(fields)
            raise ConfigError(
                f"{adapter.title} has no such secret; it asks for {known}.", field="secrets"
            )
        if len(value) > LONGEST_SECRET:
            raise ConfigError("This is too long for a secret.", field=f"secrets.{name}")
    return {name: value.strip() for name, value in given.items() if value.strip()}


def check_secrets(adapter: VenueAdapter, secrets: Mapping[str, str]) -> None:
    """Raises ConfigError for the first that is missing."""
    for field in adapter.secrets:
        is_needed = not field.is_optional and not field.is_kept_by_login
        if is_needed and field.name not in secrets:
            raise ConfigError(
                f"{adapter.title} needs: {field.title}.", field=f"secrets.{field.name}"
            )


def is_logged_in(adapter: VenueAdapter, secrets: Mapping[str, str]) -> bool:
    """Whether a login gave what it keeps, or none is needed; it may have ended since."""
    kept = [field.name for field in adapter.secrets if field.is_kept_by_login]
    return all(name in secrets for name in kept)
