"""Any platform with an HTTP interface, described in a YAML file: see docs/rest-broker.md."""

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.instruments import InstrumentKind
from engine.domain.venue_accounts import Mode
from engine.ports import AccountAccess, SecretField, VenueAdapter, VenueConnection


class RestOptions(BaseModel):
    """Which platform; where it is stands in its description."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: str = Field(
        title="Description",
        description="name of a file in data/brokers, without .yaml; 'python -m engine brokers "
        "check' tests it, docs/rest-broker.md explains it",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$",
    )


def _open(access: AccountAccess) -> VenueConnection:
    from engine.adapters.brokers.rest.access import open_described

    options = RestOptions.model_validate(access.options.model_dump())
    return open_described(access, options.description)


ADAPTER = VenueAdapter(
    id="rest",
    title="Another platform (REST, described in YAML)",
    summary="A platform without an adapter of its own, if its HTTP interface can be described.",
    kinds=(InstrumentKind.CRYPTO, InstrumentKind.STOCK, InstrumentKind.FOREX),
    modes=(Mode.TEST, Mode.LIVE),
    options=RestOptions,
    secrets=(
        SecretField("key", "API key", "as the platform's page of keys shows it", is_optional=True),
        SecretField("secret", "Secret", "where requests are signed", is_optional=True),
        SecretField("passphrase", "Passphrase", "where there is one", is_optional=True),
    ),
    open=_open,
)
