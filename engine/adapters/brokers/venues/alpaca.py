"""Alpaca: US stocks and ETFs, and crypto, on paper and with money."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from engine.adapters.brokers.alpaca.addresses import addresses_of, stand_in
from engine.domain.instruments import InstrumentKind
from engine.domain.venue_accounts import Mode
from engine.errors import ConfigError
from engine.ports import AccountAccess, SecretField, VenueAdapter, VenueConnection

NO_FEES = (Decimal(0), Decimal(0))
SECRETS = (
    SecretField("key", "Key", "APCA-API-KEY-ID; those of paper accounts begin with PK."),
    SecretField("secret", "Secret", "APCA-API-SECRET-KEY; shown once, when the key is made."),
)
StandIn = Annotated[str, AfterValidator(stand_in)]


class AlpacaOptions(BaseModel):
    """What an account at Alpaca is asked for besides its key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trades: Literal["stock", "crypto"] = Field(
        default="stock",
        title="Trades",
        description="Stocks and ETFs, or crypto. One key may serve an account of each.",
    )
    feed: Literal["iex", "sip"] = Field(
        default="iex",
        title="Prices of stocks",
        description="IEX comes with every account; SIP is all exchanges and needs a subscription.",
    )
    is_fractional: bool = Field(
        default=False,
        title="Parts of shares",
        description="Buys parts of shares. Their orders end with the day, so that stops and"
        " targets are watched by the engine instead of resting at Alpaca.",
    )
    crypto_fee_bps: Decimal = Field(
        default=Decimal(25),
        ge=0,
        le=100,
        title="Fee of crypto, taker (bps)",
        description="Your rate at Alpaca: 25 up to 100,000 USD in 30 days. Alpaca tells no fee with"
        " a trade, and takes it from what is received.",
    )
    crypto_maker_fee_bps: Decimal = Field(
        default=Decimal(15),
        ge=0,
        le=100,
        title="Fee of crypto, maker (bps)",
        description="Of limit orders that have waited for their price: 15 up to 100,000 USD.",
    )
    trading_url: StandIn = Field(
        default="",
        title="Stand-in for orders",
        description="For tests: an address of this machine. Empty: Alpaca itself.",
    )
    data_url: StandIn = Field(
        default="",
        title="Stand-in for prices",
        description="For tests: an address of this machine. Empty: Alpaca itself.",
    )


def _open(access: AccountAccess) -> VenueConnection:
    from engine.adapters.brokers.alpaca.connection import Ids, Key, connect
    from engine.adapters.brokers.alpaca.terms import Terms

    options = AlpacaOptions.model_validate(access.options)
    missing = [field.title for field in SECRETS if not access.secrets.get(field.name)]
    if missing:
        raise ConfigError(f"The account has no {' and no '.join(missing).lower()}: enter it anew.")
    is_stock = options.trades == "stock"
    terms = Terms(
        kind=InstrumentKind.STOCK if is_stock else InstrumentKind.CRYPTO,
        is_fractional=is_stock and options.is_fractional,
        fee_bps=NO_FEES if is_stock else (options.crypto_fee_bps, options.crypto_maker_fee_bps),
    )
    return connect(
        Ids(access.account_id, access.market_id),
        Key(access.secrets["key"], access.secrets["secret"]),
        addresses_of(access.mode, options.trading_url, options.data_url),
        access.clock,
        terms,
        feed=options.feed,
    )


ADAPTER = VenueAdapter(
    id="alpaca",
    title="Alpaca",
    summary="US stocks and ETFs without commission, and crypto. Paper accounts are free.",
    kinds=(InstrumentKind.STOCK, InstrumentKind.CRYPTO),
    modes=(Mode.TEST, Mode.LIVE),
    options=AlpacaOptions,
    secrets=SECRETS,
    open=_open,
)
