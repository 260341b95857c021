"""Zerodha: shares of NSE and BSE through Kite Connect, with a login every day."""

from engine.adapters.brokers.zerodha.login import (
    ACCESS_TOKEN,
    API_KEY,
    API_SECRET,
    ZerodhaLogin,
    options_of,
)
from engine.adapters.brokers.zerodha.options import Product, ZerodhaOptions
from engine.domain.instruments import InstrumentKind
from engine.domain.venue_accounts import Mode
from engine.errors import ConfigError
from engine.links.pause import Pause
from engine.ports import AccountAccess, SecretField, VenueAdapter, VenueConnection


def open_account(access: AccountAccess) -> VenueConnection:
    """The account's prices and orders, over one client. Raises ConfigError for a test account
    at Kite itself, which has no test environment, and for a live one at a stand-in."""
    from engine.adapters.brokers.zerodha.broker import ZerodhaBroker
    from engine.adapters.brokers.zerodha.client import KiteClient
    from engine.adapters.brokers.zerodha.inspection import Inspector
    from engine.adapters.brokers.zerodha.market import ZerodhaMarket

    options = options_of(access)
    if options.is_stand_in is not (access.mode is Mode.TEST):
        raise ConfigError(
            "Zerodha has no test environment: a test account is one at a stand-in on this machine,"
            " and every account at Kite's own address trades real money.",
            field="mode",
        )
    client = KiteClient(
        access.secrets[API_KEY], access.secrets.get(ACCESS_TOKEN, ""), options.address,
        access.clock, pause=Pause(access.clock.monotonic),
    )  # fmt: skip
    market = ZerodhaMarket(
        access.market_id, client, access.clock.monotonic, options.exchange,
        can_short=options.product is Product.MIS,
    )  # fmt: skip
    broker = ZerodhaBroker(access.account_id, market, client, options)
    inspector = Inspector(client, market, broker, options)
    return VenueConnection(market, broker, inspector.inspect, client.close)


ADAPTER = VenueAdapter(
    id="zerodha",
    title="Zerodha (Kite Connect)",
    summary="Indian shares on NSE and BSE. Needs a paid Kite Connect app, a registered fixed"
    " address, and a login every trading day. There is no test environment: practise on paper at"
    " its prices.",
    kinds=(InstrumentKind.STOCK,),
    modes=(Mode.LIVE, Mode.TEST),
    options=ZerodhaOptions,
    secrets=(
        SecretField(API_KEY, "API key", "Of your app at developers.kite.trade."),
        SecretField(API_SECRET, "API secret", "Beside the key; it is used to log in only."),
        SecretField(
            ACCESS_TOKEN, "Access token", "The login of the day puts it here.",
            is_optional=True, is_kept_by_login=True,
        ),
    ),
    open=open_account,
    login=ZerodhaLogin(),
)  # fmt: skip
