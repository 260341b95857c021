"""Any other exchange that ccxt knows, by its id there."""

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from engine.domain.instruments import InstrumentKind
from engine.domain.venue_accounts import Mode
from engine.errors import ConfigError, NotFound
from engine.links.binance import is_here
from engine.links.pause import Pause
from engine.ports import AccountAccess, SecretField, VenueAdapter, VenueConnection


class CcxtOptions(BaseModel):
    """Which exchange."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    exchange: str = Field(
        pattern="^[a-z0-9_]{2,40}$",
        title="Exchange",
        description="its name in ccxt, in small letters: okx, kucoin, bybit, gate, mexc ...",
    )
    address: str = Field(
        default="",
        max_length=200,
        title="Address of a stand-in",
        description="leave empty; a stand-in on this machine, such as http://127.0.0.1:8900",
    )

    @field_validator("address")
    @classmethod
    def _is_here(cls, address: str) -> str:
        if address and not is_here(urlsplit(address)):
            raise ValueError(
                "it is not an address of this machine, such as http://127.0.0.1:8900; "
                "leave it empty to trade at the exchange itself"
            )
        return address.rstrip("/")


def open_account(access: AccountAccess) -> VenueConnection:
    """Prices and orders over one pause; nothing is asked yet. Raises ConfigError for an exchange
    that ccxt does not know, that has no place for tests, or that cannot be traded safely."""
    from engine.adapters.brokers.ccxt_unified.broker import UnifiedBroker
    from engine.adapters.brokers.ccxt_unified.client import Keys
    from engine.adapters.brokers.ccxt_unified.inspection import inspect_exchange
    from engine.adapters.market_data.ccxt_streams import CcxtStreamingMarket

    options = CcxtOptions.model_validate(access.options)
    pause = Pause(access.clock.monotonic)
    is_paced = not options.address  # a stand-in on this machine needs no pace
    try:
        market = CcxtStreamingMarket(
            access.market_id, access.clock,
            exchange=options.exchange, base_url=options.address or None, can_short=False,
            is_sandbox=access.mode is Mode.TEST and not options.address,
            pause=pause, is_paced=is_paced,
        )  # fmt: skip
    except NotFound as error:
        raise ConfigError(
            f"{error.message} Its list is at docs.ccxt.com; names are in small letters.",
            field="exchange",
        ) from error
    secrets = access.secrets
    keys = Keys(
        secrets["key"], secrets["secret"], secrets.get("password", ""), secrets.get("uid", "")
    )
    broker = UnifiedBroker(
        access.account_id, market, access.clock, keys, pause=pause, is_paced=is_paced
    )

    def close() -> None:
        broker.client.close()
        market.close()

    return VenueConnection(
        market, broker, lambda: inspect_exchange(broker, market), close, broker.client.usage
    )


ADAPTER = VenueAdapter(
    id="ccxt",
    title="Crypto exchange (ccxt)",
    summary="Crypto, spot, at any of the exchanges that ccxt knows. For Binance there is an entry "
    "of its own, which can do more.",
    kinds=(InstrumentKind.CRYPTO,),
    modes=(Mode.TEST, Mode.LIVE),
    options=CcxtOptions,
    secrets=(
        SecretField("key", "API key"),
        SecretField("secret", "Secret key"),
        SecretField(
            "password", "Passphrase", "where the exchange asks for one: OKX, KuCoin, Bitget ...",
            is_optional=True,
        ),
        SecretField("uid", "User id", "where the exchange asks for one", is_optional=True),
    ),
    open=open_account,
)  # fmt: skip
