"""A bot: what the user asked for, what it is doing, and why."""

from datetime import time
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from engine.domain.advice import AiConfig
from engine.domain.money import ZERO, UtcDatetime
from engine.domain.routes import Place, RoutingConfig
from engine.domain.signals import SignalConfig
from engine.domain.timeframes import timeframe_s

NAME_PATTERN = r"^[^\W_][\w .\-]*$"


def _trimmed(name: str) -> str:
    if name != name.strip():
        raise ValueError("must not begin or end with a space")
    return name


BotName = Annotated[
    str, Field(min_length=1, max_length=40, pattern=NAME_PATTERN), AfterValidator(_trimmed)
]
"""What a bot may be called."""


class Direction(StrEnum):
    """Which sides a bot may take."""

    LONG = "long"
    SHORT = "short"
    BOTH = "both"


class EntryOrder(StrEnum):
    """How entries are sent."""

    MARKET = "market"
    LIMIT = "limit"


class Desired(StrEnum):
    """What the user wants of a bot."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


class BotState(StrEnum):
    """What a bot is doing."""

    STARTING = "starting"
    RUNNING = "running"
    PAUSED = "paused"
    SLEEPING = "sleeping"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAULTED = "faulted"


ACTIVE_STATES = frozenset(
    {BotState.STARTING, BotState.RUNNING, BotState.PAUSED, BotState.SLEEPING, BotState.STOPPING}
)


WORKING_STATES = frozenset({BotState.RUNNING, BotState.PAUSED, BotState.SLEEPING})
"""States in which candles are decided."""


class RoiStep(BaseModel):
    """Take this profit once the position is this old."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    after_s: int = Field(ge=0, le=31_536_000, description="age of the position, in seconds")
    profit: Decimal = Field(
        gt=-1, le=10, max_digits=12, description="fraction of the entry price; 0.01 is 1 %"
    )


Fraction = Annotated[Decimal, Field(gt=0, lt=1, max_digits=12)]


class ExitRules(BaseModel):
    """When a position is closed whatever the strategy says. Fractions of the entry price."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stop_loss: Fraction | None = Field(default=Decimal("0.02"), title="Stop loss")
    take_profit: Annotated[Decimal, Field(gt=0, le=10, max_digits=12)] | None = Field(
        default=Decimal("0.05"), title="Take profit"
    )
    trailing_stop: Fraction | None = Field(default=None, title="Trailing stop")
    time_limit_s: Annotated[int, Field(ge=1, le=31_536_000)] | None = Field(
        default=None, title="Time limit (seconds)"
    )
    roi_steps: tuple[RoiStep, ...] = Field(default=(), max_length=10, title="ROI steps")


class Weekday(StrEnum):
    """A day of the week."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


WEEKDAYS = tuple(Weekday)


class ActiveHours(BaseModel):
    """The hours of the day in which a bot is awake. ``weekdays`` are those on which they begin;
    none named: every day. The same start and end are a whole day."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: time
    end: time
    zone: str = Field(default="UTC", max_length=64, description="an IANA name: Europe/Berlin")
    weekdays: tuple[Weekday, ...] = Field(default=(), max_length=7)

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in known_zones():
            raise ValueError("is no time zone such as UTC, Europe/Berlin or America/New_York")
        return zone

    @field_validator("weekdays")
    @classmethod
    def _in_order(cls, weekdays: tuple[Weekday, ...]) -> tuple[Weekday, ...]:
        return tuple(day for day in WEEKDAYS if day in weekdays)

    def has_day(self, weekday: int) -> bool:
        """Whether hours begin on this day of the week; 0 is Monday."""
        return not self.weekdays or WEEKDAYS[weekday] in self.weekdays


@cache
def known_zones() -> frozenset[str]:
    """The time zones of this machine's Python, by IANA name."""
    return frozenset(available_timezones())


class Overnight(StrEnum):
    """What becomes of a position when its bot goes to sleep."""

    KEEP = "keep"
    CLOSE = "close"


class BotConfig(ExitRules):
    """Everything a user sets on a bot. Amounts are in the symbol's quote asset."""

    name: BotName
    market: str = Field(min_length=1, max_length=500)
    symbol: str = Field(min_length=1, max_length=40)
    strategy: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    params: dict[str, Any] = Field(default_factory=dict)
    timeframe: str = "15m"
    interval_s: int = Field(default=900, ge=1, le=604_800, title="Check interval (seconds)")
    amount: Decimal = Field(gt=0, le=Decimal("1e9"), max_digits=24, title="Trade amount")
    reinvest: bool = True
    direction: Direction = Direction.LONG
    max_entries: int = Field(default=1, ge=1, le=20, title="Entries per position")
    active_hours: ActiveHours | None = None
    follow_market: bool = Field(
        default=True, title="Sleep while the market is closed",
        description="stocks and currencies; markets that never close know no sleep",
    )  # fmt: skip
    wake_lead_min: int = Field(
        default=5, ge=0, le=240, title="Wake lead (minutes)",
        description="so long before it wakes its candles are asked for",
    )  # fmt: skip
    overnight: Overnight = Field(
        default=Overnight.KEEP, title="Overnight",
        description="what becomes of a position when the bot goes to sleep",
    )  # fmt: skip
    close_before_min: int = Field(
        default=5, ge=1, le=240, title="Close before the end (minutes)",
        description="of the session or of its own hours, when nothing is held overnight",
    )  # fmt: skip
    entry_order: EntryOrder = Field(default=EntryOrder.MARKET, title="Entry order")
    limit_offset_bps: Decimal = Field(
        default=ZERO,
        ge=0,
        le=1000,
        max_digits=12,
        title="Limit offset",
        description="basis points better than the price at the decision",
    )
    entry_timeout_s: int = Field(
        default=300,
        ge=1,
        le=604_800,
        title="Entry timeout (seconds)",
        description="what is not filled of a limit entry by then is taken back",
    )

    routing: RoutingConfig | None = Field(
        default=None,
        title="Routing",
        description="accounts that may take an entry in place of the bot's own; None: only its own",
    )

    signals: SignalConfig | None = Field(
        default=None, title="Signals", description="None: it listens to none from outside"
    )
    ai: AiConfig | None = Field(
        default=None, title="Model", description="None: no model decides or advises"
    )

    @field_validator("timeframe")
    @classmethod
    def _known_timeframe(cls, timeframe: str) -> str:
        timeframe_s(timeframe)
        return timeframe

    @model_validator(mode="after")
    def _roi_steps_rise(self) -> Self:
        ages = [step.after_s for step in self.roi_steps]
        if ages != sorted(set(ages)):
            raise ValueError("ROI steps must be in order of age, each age once")
        return self

    @property
    def starting_capital(self) -> Decimal:
        """What all entries of one position may use together at first, in quote."""
        return self.amount * self.max_entries


class Bot(BaseModel):
    """A bot as stored. ``realised_pnl`` is exact, in quote, fees included."""

    model_config = ConfigDict(frozen=True)

    id: str
    config: BotConfig
    account_id: str
    place: Place | None = Field(
        default=None, description="where routing has it trade; None: where it is configured"
    )
    desired: Desired = Desired.STOPPED
    state: BotState = BotState.STOPPED
    reason: str = ""
    close_on_stop: bool = False
    created_at: UtcDatetime
    updated_at: UtcDatetime
    started_at: UtcDatetime | None = None
    decided_until: UtcDatetime | None = Field(
        default=None, description="close of the last candle that was decided"
    )
    checked_at: UtcDatetime | None = None
    strategy_errors: int = 0
    realised_pnl: Decimal = ZERO
    trade_count: int = 0
    win_count: int = 0

    @property
    def market(self) -> str:
        """The market it trades on; decisions are taken on the candles of ``config.market``."""
        return self.place.market if self.place else self.config.market

    @property
    def symbol(self) -> str:
        """What the market it trades on calls its instrument."""
        return self.place.symbol if self.place else self.config.symbol

    @property
    def capital(self) -> Decimal:
        """What the bot owns, in quote, with open positions at cost."""
        return self.config.starting_capital + self.realised_pnl
