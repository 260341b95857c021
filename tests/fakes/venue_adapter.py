"""A venue in memory that accounts can be added at, with the forms and the answers a test wants."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import cast

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.instruments import InstrumentKind
from engine.domain.venue_accounts import AccountCheck, Grade, Inspection, Mode
from engine.errors import ConfigError, QuarterdeckError
from engine.ports import (
    AccountAccess,
    DailyLogin,
    SecretField,
    SessionToken,
    VenueAdapter,
    VenueConnection,
)
from tests.fakes.broker import ScriptedBroker
from tests.fakes.clock import FakeClock
from tests.fakes.market import FakeMarket

GOOD = Inspection(
    checks=(
        AccountCheck(name="Permissions", grade=Grade.OK, detail="reads and trades"),
        AccountCheck(name="Clock", grade=Grade.OK, detail="0.1 s ahead"),
        AccountCheck(name="Balance", grade=Grade.OK, detail="1,000 USDT"),
        AccountCheck(name="Minimums", grade=Grade.OK, detail="5 USDT an order"),
    ),
    balances={"USDT": Decimal(1000)},
    can_withdraw=False,
    clock_skew_s=0.1,
)
BAD = Inspection(
    checks=(
        AccountCheck(
            name="Permissions", grade=Grade.FAILED, detail="the key may not trade",
            advice="Allow spot trading for the key at the venue.",
        ),
    )
)  # fmt: skip
WITHDRAWS = GOOD.model_copy(update={"can_withdraw": True})


class FakeOptions(BaseModel):
    """What the form of the fake venue asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: str = Field(
        default="http://127.0.0.1:1", pattern=r"^http://127\.0\.0\.1:\d+$", title="Address",
        description="of the stand-in on this machine",
    )  # fmt: skip
    window_s: int = Field(default=10, ge=1, le=60, title="Window", description="in seconds")


@dataclass
class FakeVenue:
    """State of the venue: what inspections say, what was opened and closed, which answer logs in.

    ``failure``, while set, is raised by the next inspections.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    inspection: Inspection = GOOD
    failure: QuarterdeckError | None = None
    opened: list[AccountAccess] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    markets: list[FakeMarket] = field(default_factory=list)
    brokers: list[ScriptedBroker] = field(default_factory=list)

    def adapter(self, *, has_login: bool = False, title: str = "Fake venue") -> VenueAdapter:
        """As ``find_adapters`` would find it."""
        token = SecretField("token", "Token", is_kept_by_login=True)
        return VenueAdapter(
            id="fakedaily" if has_login else "fake",
            title=title,
            summary="A venue that tests make up",
            kinds=(InstrumentKind.CRYPTO,),
            modes=(Mode.TEST, Mode.LIVE),
            options=FakeOptions,
            secrets=(
                SecretField("key", "API key", "of a key that may only trade"),
                SecretField("secret", "API secret"),
                SecretField("passphrase", "Passphrase", is_optional=True),
                *((token,) if has_login else ()),
            ),
            open=self._open,
            login=cast(DailyLogin, FakeLogin(self)) if has_login else None,
        )

    def _open(self, access: AccountAccess) -> VenueConnection:
        self.opened.append(access)
        market = FakeMarket(self.clock, market_id=access.market_id)
        market.set_price("BTC/USDT", "100")
        market.set_price("ETH/USDT", "10")
        broker = ScriptedBroker(access.account_id)
        self.markets.append(market)
        self.brokers.append(broker)
        return VenueConnection(
            market, broker, self._inspect, lambda: self.closed.append(access.account_id)
        )

    def _inspect(self) -> Inspection:
        if self.failure is not None:
            raise self.failure
        return self.inspection


@dataclass
class FakeLogin:
    """Implements ``DailyLogin``: every answer that begins with ``ok`` is one."""

    venue: FakeVenue

    def url(self, access: AccountAccess) -> str:
        """A page that is not there."""
        return f"http://127.0.0.1:1/login?key={access.secrets['key'][:2]}"

    def complete(self, access: AccountAccess, answer: str) -> SessionToken:
        """A token for eight hours."""
        if not answer.startswith("ok"):
            raise ConfigError("There is no token in this: paste the whole address.", field="answer")
        until = access.clock.now() + timedelta(hours=8)
        return SessionToken({"token": f"token-of-{answer}"}, until)
