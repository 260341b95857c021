"""Binance spot, and its test network."""

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from engine.domain.instruments import InstrumentKind
from engine.domain.venue_accounts import Mode
from engine.links.binance import addresses_for, is_here
from engine.links.pause import Pause
from engine.ports import AccountAccess, SecretField, VenueAdapter, VenueConnection


class BinanceOptions(BaseModel):
    """Where it is; a person has nothing to choose."""

    model_config = ConfigDict(frozen=True, extra="forbid")

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
                "leave it empty to trade at Binance"
            )
        return address


def open_account(access: AccountAccess) -> VenueConnection:
    """Prices and orders over one pause; nothing is asked yet. Raises ConfigError."""
    from engine.adapters.brokers.binance_inspect import inspect_binance
    from engine.adapters.brokers.ccxt_spot import CcxtSpotBroker
    from engine.adapters.market_data.ccxt_streams import CcxtStreamingMarket

    options = BinanceOptions.model_validate(access.options)
    addresses = addresses_for(access.mode, options.address)
    pause = Pause(access.clock.monotonic)
    is_paced = not options.address  # a stand-in on this machine needs no pace
    market = CcxtStreamingMarket(
        access.market_id, access.clock,
        exchange="binance", addresses=addresses, can_short=False, pause=pause, is_paced=is_paced,
    )  # fmt: skip
    broker = CcxtSpotBroker(
        access.account_id, market, access.clock,
        key=access.secrets["key"], secret=access.secrets["secret"], addresses=addresses,
        refresh_listing=market.refresh, pause=pause, is_paced=is_paced,
    )  # fmt: skip

    def close() -> None:
        broker.client.close()
        market.close()

    return VenueConnection(
        market,
        broker,
        lambda: inspect_binance(broker.client, market, has_wallet=bool(addresses.wallet)),
        close,
        broker.client.usage,
    )


ADAPTER = VenueAdapter(
    id="binance",
    title="Binance",
    summary="Crypto, spot. Keys that may read and trade, without the right to withdraw; for tests, "
    "keys of testnet.binance.vision, where the money is not real.",
    kinds=(InstrumentKind.CRYPTO,),
    modes=(Mode.TEST, Mode.LIVE),
    options=BinanceOptions,
    secrets=(
        SecretField("key", "API key"),
        SecretField("secret", "Secret key", "shown once by Binance, when the key is made"),
    ),
    open=open_account,
)
