"""MetaTrader 5 on another machine, whose terminal ``mt5_gateway.py`` lends."""

from typing import Annotated

from pydantic import AfterValidator, Field

from engine.adapters.brokers.mt5.addresses import fingerprint_of, gateway_url
from engine.adapters.brokers.mt5.options import PASSWORD, TerminalOptions
from engine.domain.instruments import InstrumentKind
from engine.domain.venue_accounts import Mode
from engine.ports import AccountAccess, SecretField, VenueAdapter, VenueConnection


class GatewayOptions(TerminalOptions):
    """Where the gateway is, and whom to trust there, besides the account."""

    gateway: Annotated[str, AfterValidator(gateway_url)] = Field(
        title="Gateway",
        description="Its address, such as https://192.168.1.20:8443; plain http only on this"
        " machine, through a tunnel for instance.",
    )
    fingerprint: Annotated[str, AfterValidator(fingerprint_of)] = Field(
        default="",
        title="Fingerprint",
        description="SHA-256 of the gateway's own certificate; it shows it when it starts.",
    )
    ca_file: str = Field(
        default="",
        title="CA file",
        description="Instead of a fingerprint: the PEM file of whoever signed the certificate.",
    )


def _open(access: AccountAccess) -> VenueConnection:
    from engine.adapters.brokers.mt5.connection import connect
    from engine.adapters.brokers.mt5.remote import RemoteTerminal

    options = access.options
    assert isinstance(options, GatewayOptions)  # noqa: S101 - made by check_options
    terminal = RemoteTerminal(
        options.gateway, access.secrets["token"],
        fingerprint=options.fingerprint, ca_file=options.ca_file,
    )  # fmt: skip
    return connect(access, options, terminal)


ADAPTER = VenueAdapter(
    id="mt5_gateway",
    title="MetaTrader 5 (gateway)",
    summary="Forex, CFDs and shares of any broker, through a terminal on another Windows machine.",
    kinds=(InstrumentKind.FOREX, InstrumentKind.STOCK, InstrumentKind.CRYPTO),
    modes=(Mode.TEST, Mode.LIVE),
    options=GatewayOptions,
    secrets=(
        SecretField("token", "Token of the gateway", "What is in its token file."),
        PASSWORD,
    ),
    open=_open,
)
