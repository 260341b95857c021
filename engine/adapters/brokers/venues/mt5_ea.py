"""MetaTrader 5 through the Expert Advisor, which needs nothing but the terminal."""

from engine.adapters.brokers.mt5_ea.options import AdvisorOptions
from engine.domain.instruments import InstrumentKind
from engine.domain.venue_accounts import Mode
from engine.errors import ConfigError
from engine.ports import AccountAccess, VenueAdapter, VenueConnection


def _open(access: AccountAccess) -> VenueConnection:
    from engine.adapters.brokers.mt5_ea.broker import AdvisorBroker
    from engine.adapters.brokers.mt5_ea.inspection import Inspector
    from engine.adapters.brokers.mt5_ea.link import Link
    from engine.adapters.market_data.pushed import PushedMarket

    options = access.options
    assert isinstance(options, AdvisorOptions)  # noqa: S101 - made by check_options
    if access.terminals is None:
        raise ConfigError("Expert Advisors are heard by a running engine only.")
    account = str(options.login)
    link = Link(
        account, str(options.magic), access.mode, options.positions == "hedging",
        access.terminals, access.clock,
    )  # fmt: skip
    market = PushedMarket(access.market_id, account, access.terminals, access.clock)
    broker = AdvisorBroker(access.account_id, link, market)
    return VenueConnection(market, broker, Inspector(link, market).inspect)


ADAPTER = VenueAdapter(
    id="mt5_ea",
    title="MetaTrader 5 (Expert Advisor)",
    summary="Forex, CFDs and shares of any broker, through an advisor on a chart that fetches "
    "orders.",
    kinds=(InstrumentKind.FOREX, InstrumentKind.STOCK, InstrumentKind.CRYPTO),
    modes=(Mode.TEST, Mode.LIVE),
    options=AdvisorOptions,
    secrets=(),
    open=_open,
)
