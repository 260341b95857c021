"""MetaTrader 5 on this machine: Windows only, through its own Python package."""

from engine.adapters.brokers.mt5.options import PASSWORD, TerminalOptions
from engine.domain.instruments import InstrumentKind
from engine.domain.venue_accounts import Mode
from engine.ports import AccountAccess, VenueAdapter, VenueConnection


def _open(access: AccountAccess) -> VenueConnection:
    from engine.adapters.brokers.mt5.connection import connect
    from engine.adapters.brokers.mt5.terminal import LocalTerminal, load_package

    options = access.options
    assert isinstance(options, TerminalOptions)  # noqa: S101 - made by check_options
    load_package()
    return connect(access, options, LocalTerminal())


ADAPTER = VenueAdapter(
    id="mt5",
    title="MetaTrader 5 (this machine)",
    summary="Forex, CFDs and shares of any broker, through the terminal on this Windows machine.",
    kinds=(InstrumentKind.FOREX, InstrumentKind.STOCK, InstrumentKind.CRYPTO),
    modes=(Mode.TEST, Mode.LIVE),
    options=TerminalOptions,
    secrets=(PASSWORD,),
    open=_open,
)
