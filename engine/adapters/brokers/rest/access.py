"""Accounts at described platforms, opened: the description, one client, its market and broker."""

from collections.abc import Mapping

from engine.adapters.brokers.rest.broker import RestBroker
from engine.adapters.brokers.rest.client import RestClient
from engine.adapters.brokers.rest.description import Description
from engine.adapters.brokers.rest.inspection import Inspector
from engine.adapters.brokers.rest.loading import find_description, load_description
from engine.adapters.brokers.rest.market import RestMarket
from engine.adapters.brokers.rest.requests import key_bytes
from engine.adapters.brokers.rest.signatures import HmacSigning
from engine.domain.venue_accounts import Inspection, Mode
from engine.errors import ConfigError
from engine.ports import AccountAccess, Clock, VenueConnection

FOLDER = "brokers"
"""Of the data folder: where the user's descriptions are."""


def open_described(access: AccountAccess, name: str) -> VenueConnection:
    """An account at the platform that data/brokers/NAME.yaml describes. Raises ConfigError."""
    path = find_description(name, access.data / FOLDER)
    return connect(load_description(path), access)


def connect(description: Description, access: AccountAccess) -> VenueConnection:
    """An account at a described platform; nothing is asked yet. Raises ConfigError."""
    address = description.address(access.mode.value)
    if address is None:
        offered = "test" if access.mode is Mode.LIVE else "live"
        raise ConfigError(
            f"{description.name} has no address for {access.mode.value} accounts: add it under "
            f"addresses, or make the account one of {offered}.",
            field="mode",
        )
    if access.mode is not Mode.PAPER:
        _check_secrets(description, access)
    client, market, broker = opened(
        description, address, access.secrets, access.clock, access.market_id, access.account_id
    )

    def inspect() -> Inspection:
        return Inspector(client, market, broker, access.clock).inspect()

    return VenueConnection(market, broker, inspect, client.close)


def opened(
    description: Description, address: str, secrets: Mapping[str, str], clock: Clock,
    market_id: str, account_id: str,
) -> tuple[RestClient, RestMarket, RestBroker]:  # fmt: skip
    """One client, and what speaks through it: its pause and its pace are theirs too."""
    client = RestClient(description, address, secrets, clock)
    market = RestMarket(market_id, client)
    return client, market, RestBroker(account_id, market, client)


def _check_secrets(description: Description, access: AccountAccess) -> None:
    missing = sorted(name for name in description.secrets if not access.secrets.get(name))
    if missing:
        raise ConfigError(
            f"{description.name} needs the {' and the '.join(missing)} of the account: its "
            "description signs requests with that. Type it into the account form.",
            field=missing[0],
        )
    how = description.authentication
    if isinstance(how, HmacSigning):
        known = {f"secret.{name}": value for name, value in access.secrets.items()}
        try:
            key_bytes(str(how.secret.fill(known)), how.secret_encoding)
        except ValueError:
            raise ConfigError(
                f"The secret is no {how.secret_encoding}, as the description says that it is "
                "(secret_encoding): copy it once more, all of it.",
                field="secret",
            ) from None
