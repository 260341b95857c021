"""Where an entry may go, and why it went where it did: kept with the order for good."""

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from engine.domain.money import ZERO, UtcDatetime

HOME_FALLBACK = "none of the accounts can take the entry: it stays with the bot's own"


class Place(BaseModel):
    """A market and the name that the bot's instrument has there."""

    model_config = ConfigDict(frozen=True)

    market: str
    symbol: str


class RoutingConfig(BaseModel):
    """Where else a bot's entries may go, and when a venue is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    markets: tuple[str, ...] = Field(
        min_length=1, max_length=8, title="Markets",
        description="beside the bot's own; each must list the same instrument",
    )  # fmt: skip
    max_extra_fee_bps: Decimal = Field(
        default=Decimal(20), ge=0, le=1000, max_digits=12, title="Extra fee at the most",
        description="basis points by which a venue's fee may exceed that of the bot's own",
    )  # fmt: skip
    max_age_s: float = Field(
        default=5.0, gt=0, le=300, title="Age of a price at the most", description="in seconds"
    )
    latency_bps_per_s: Decimal = Field(
        default=Decimal(1), ge=0, le=1000, max_digits=12, title="Cost of latency",
        description="basis points that a second of a venue's latency counts",
    )  # fmt: skip


class RouteCandidate(BaseModel):
    """One venue as it was weighed. ``excluded`` is why it could not be chosen, empty when it could.

    ``price`` is what one unit costs (or, selling, brings) before the fee, ``score`` the same with
    fee and latency in it: the lowest is the best to buy, the highest to sell.
    """

    model_config = ConfigDict(frozen=True)

    market: str
    account_id: str
    symbol: str = ""
    is_home: bool = False
    price: Decimal | None = None
    has_depth: bool = Field(default=False, description="False: best price only, size unknown")
    fee_bps: Decimal | None = None
    latency_ms: float | None = Field(default=None, description="median of its last answers")
    age_s: float | None = None
    free: Decimal | None = Field(default=None, description="quote that nobody has reserved")
    score: Decimal | None = None
    excluded: str = ""


class RoutePlan(BaseModel):
    """The venue that was chosen for an entry, and all that were weighed, the best first."""

    model_config = ConfigDict(frozen=True)

    side: str
    amount: Decimal = Field(default=ZERO, description="what the entry may use, in quote")
    chosen: str = Field(description="the chosen account's id")
    reason: str
    decided_at: UtcDatetime
    candidates: tuple[RouteCandidate, ...]

    @property
    def best(self) -> RouteCandidate:
        """The chosen one."""
        return next(one for one in self.candidates if one.account_id == self.chosen)
