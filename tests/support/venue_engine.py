"""The real engine with one venue more: simulated prices, and accounts in a database of its own.

``python -m tests.support.venue_engine`` runs what ``python -m engine run`` does. The venue takes
every key but those that begin with ``wrong`` or ``withdraws``; while the file ``venue.down`` is in
the data folder its inspections hang. ``VENUE_PATIENCE_S`` is how long a person waits for it.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from engine import bootstrap, bootstrap_accounts
from engine.adapters.brokers.paper import PaperBroker
from engine.adapters.market_data.simulated import SimulatedMarket
from engine.adapters.store.paper_book import SqlPaperBook
from engine.adapters.store.store import SqlStore
from engine.domain.instruments import InstrumentKind
from engine.domain.venue_accounts import AccountCheck, Grade, Inspection, Mode
from engine.ports import AccountAccess, SecretField, VenueAdapter, VenueConnection
from engine.services.lane_calls import LaneCalls
from engine.services.paper_prices import prices_of
from engine.settings import load_settings
from tests.support.processes import Copy, copy_of_quarterdeck

VENUE = "sim"
OPENING = Decimal(50_000)


class SimOptions(BaseModel):
    """What the venue's form asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(default=7, ge=0, title="Seed", description="which simulated world it is")


@contextmanager
def venue_engine(data: Path, **variables: str) -> Iterator[Copy]:
    """A copy whose engine knows the venue, nothing started yet."""
    with copy_of_quarterdeck(data, **variables) as copy:
        copy.engine_command = ("tests.support.venue_engine",)
        yield copy


def adapters(data: Path) -> Mapping[str, VenueAdapter]:
    """The one venue."""
    adapter = VenueAdapter(
        id=VENUE,
        title="Simulated venue",
        summary="Simulated prices, and accounts as at a real venue",
        kinds=(InstrumentKind.CRYPTO,),
        modes=(Mode.TEST, Mode.LIVE),
        options=SimOptions,
        secrets=(SecretField("key", "API key"), SecretField("secret", "API secret")),
        open=partial(_open, data),
    )
    return {VENUE: adapter}


def _open(data: Path, access: AccountAccess) -> VenueConnection:
    options = SimOptions.model_validate(access.options.model_dump())
    store = SqlStore.open(f"sqlite:///{data / 'venue.db'}")
    market = prices_of(SimulatedMarket(options.seed, access.clock), access.market_id)
    broker = PaperBroker(
        access.account_id, market, SqlPaperBook(store.database), opening_balance=OPENING,
        fee_bps=Decimal(10), slippage_bps=Decimal(1), volume_cap=Decimal(1),
    )  # fmt: skip
    inspect = partial(_inspect, data, access.secrets["key"])
    return VenueConnection(market, broker, inspect, store.close)


def _inspect(data: Path, key: str) -> Inspection:
    while (data / "venue.down").exists():
        time.sleep(0.02)
    is_wrong = key.startswith("wrong")
    check = AccountCheck(
        name="Permissions",
        grade=Grade.FAILED if is_wrong else Grade.OK,
        detail="the key is not known" if is_wrong else "reads and trades",
        advice="Copy the key again." if is_wrong else "",
    )
    return Inspection(
        checks=(check,), balances={"USDT": OPENING}, can_withdraw=key.startswith("withdraws")
    )


def main() -> int:
    """Run the engine until it is asked to stop."""
    settings = load_settings()
    if patience_s := os.environ.get("VENUE_PATIENCE_S"):
        vars(bootstrap)["LaneCalls"] = partial(LaneCalls, patience_s=float(patience_s))
    vars(bootstrap_accounts)["find_adapters"] = lambda: adapters(settings.data)
    return bootstrap.run_engine(settings)


if __name__ == "__main__":
    sys.exit(main())
