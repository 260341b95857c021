"""A platform as its YAML file tells it: frozen, checked, without a key in it."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from engine.adapters.brokers.rest.endpoints import Endpoints, OrderFields
from engine.adapters.brokers.rest.signatures import (
    Authentication,
    NoSigning,
    Part,
    TimeFormat,
)
from engine.adapters.brokers.rest.words import PathField
from engine.domain.instruments import InstrumentKind
from engine.domain.orders import OrderState, OrderType, Side, TimeInForce
from engine.links.own_machine import is_loopback

OWN_IDS = 36  # characters of Quarterdeck's own ids: lower case letters, digits and '-'
VENUE_STATES = (
    OrderState.OPEN, OrderState.PARTLY_FILLED, OrderState.FILLED, OrderState.CANCELLED,
    OrderState.REJECTED, OrderState.EXPIRED,
)  # fmt: skip
KNOWN_TYPES = (OrderType.MARKET, OrderType.LIMIT, OrderType.STOP, OrderType.STOP_LIMIT)


def check_address(url: str) -> str:
    """A base address without its last slash. Raises ValueError unless it is https, or this
    machine's."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"'{url}' is no address; write it like https://api.example.com")
    if parts.username or parts.password:
        raise ValueError(
            "the address has a name or password in it; keys belong into the account form"
        )
    if parts.query or parts.fragment:
        raise ValueError(f"'{url}' has a '?' or '#'; parameters belong under query")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(
            f"'{url}' is not encrypted: anybody on the way could read the key; write https://"
        )
    return url.rstrip("/")


Address = Annotated[str, AfterValidator(check_address)]


def _listed(told: object) -> object:
    """One word, or a list of them: always a list. YAML reads 404 and yes as no words."""
    items = told if isinstance(told, list) else [told]
    return [one if isinstance(one, bool) else str(one) for one in items]


Words = Annotated[tuple[str, ...], BeforeValidator(_listed), Field(min_length=1)]


class Addresses(Part):
    """Where the platform is, by mode; a mode without an address is not offered."""

    test: Address | None = Field(default=None, description="its sandbox")
    live: Address | None = Field(default=None, description="real money")

    @model_validator(mode="after")
    def _has_one(self) -> Any:
        if self.test is None and self.live is None:
            raise ValueError("there is no address: give test, live, or both")
        return self


class Pace(Part):
    """How fast it may be asked, and how long an answer may take."""

    requests_per_s: float = Field(default=5, gt=0, le=1000)
    pause_s: float = Field(
        default=30, ge=1, le=86_400, description="after a 429 that does not say for how long"
    )
    timeout_s: float = Field(default=10, gt=0, le=60)


class Vocabulary(Part):
    """The platform's words for ours. What a map does not have, the platform does not do."""

    sides: dict[Side, Words] = Field(description="buy and sell; the first word is the one sent")
    types: dict[OrderType, Words] = Field(description="market, limit, stop, stop_limit")
    times_in_force: dict[TimeInForce, Words] = Field(
        default={TimeInForce.GTC: ("gtc",)}, description="gtc, ioc, fok, day"
    )
    states: dict[OrderState, Words] = Field(
        description="its words for open, partly_filled, filled, cancelled, rejected, expired"
    )

    @model_validator(mode="after")
    def _check(self) -> Any:
        lacking = [side.value for side in Side if side not in self.sides]
        if lacking:
            raise ValueError(f"sides has no '{lacking[0]}'")
        strange = [kind.value for kind in self.types if kind not in KNOWN_TYPES]
        if strange:
            raise ValueError(
                f"types has '{strange[0]}', which a description cannot say; it is watched by the "
                "engine instead: leave it out"
            )
        if OrderType.MARKET not in self.types:
            raise ValueError("types has no 'market', without which nothing can be closed at once")
        strange = [state.value for state in self.states if state not in VENUE_STATES]
        if strange:
            raise ValueError(f"states has '{strange[0]}', which is none of a platform's")
        needed = (OrderState.OPEN, OrderState.FILLED, OrderState.CANCELLED)
        lacking = [state.value for state in needed if state not in self.states]
        if lacking:
            raise ValueError(f"states has no word for '{lacking[0]}'")
        for name in ("sides", "types", "states", "times_in_force"):
            _check_unambiguous(name, getattr(self, name))
        return self


def _check_unambiguous(name: str, table: Mapping[Any, tuple[str, ...]]) -> None:
    seen: dict[str, str] = {}
    for ours, words in table.items():
        for word in words:
            if word in seen:
                raise ValueError(f"{name} has '{word}' for both {seen[word]} and {ours.value}")
            seen[word] = ours.value


class Meaning(StrEnum):
    """What an answer that is no success says for certain."""

    REJECTED = "rejected"
    INSUFFICIENT_FUNDS = "insufficient_funds"
    DENIED = "denied"
    RATE_LIMITED = "rate_limited"
    NOT_FOUND = "not_found"
    CLOCK_OFF = "clock_off"
    UNKNOWN = "unknown"


class ErrorRule(Part):
    """Answers of these HTTP statuses and with these codes mean this; the first that fits counts."""

    status: tuple[int, ...] = Field(default=(), description="none: any below 500")
    code: Words | tuple[()] = Field(default=(), description="none: any")
    means: Meaning
    says: str = Field(default="", max_length=300, description="what a person is told to do")

    @model_validator(mode="before")
    @classmethod
    def _one_status(cls, told: Any) -> Any:
        if isinstance(told, dict) and isinstance(told.get("status"), int):
            return {**told, "status": [told["status"]]}
        return told

    @model_validator(mode="after")
    def _is_certain(self) -> Any:
        if not self.status and not self.code:
            raise ValueError("the rule fits every answer: give it a status or a code")
        if any(not 100 <= one <= 599 for one in self.status):
            raise ValueError(f"{self.status[0]} is no HTTP status")
        is_claim = self.means not in (Meaning.UNKNOWN, Meaning.RATE_LIMITED)
        if is_claim and not self.code and any(one >= 500 for one in self.status):
            raise ValueError(
                f"a status of 500 and more never says for certain that something was "
                f"{self.means.value}: the order may have arrived; say means: unknown, or give a "
                "code too"
            )
        if is_claim and not self.code and any(one < 300 for one in self.status):
            raise ValueError("a status below 300 is a success: give the code of the failure too")
        return self

    def fits(self, status: int, code: str) -> bool:
        """Whether an answer is one of those. A 5xx is only when the rule names it: what such an
        answer says of an order is nothing to rely on."""
        is_status = status in self.status if self.status else status < 500
        return is_status and (not self.code or code in self.code)


class Errors(Part):
    """How it says that something failed. What no rule names leaves an order in doubt."""

    code: PathField | None = Field(default=None, description="where an answer has its code")
    message: PathField | None = Field(default=None, description="where it has its words")
    failed: PathField | None = Field(
        default=None, description="true for a failure that comes with status 200"
    )
    rules: tuple[ErrorRule, ...] = Field(
        min_length=1, max_length=200, description="a list of status, code, means and says"
    )

    @model_validator(mode="after")
    def _check(self) -> Any:
        if self.code is None and any(rule.code for rule in self.rules):
            raise ValueError("rules use codes: say with 'code: PATH' where an answer has its code")
        return self


class ClientIds(Part):
    """What the platform takes as our id of an order."""

    longest: int = Field(default=OWN_IDS, description="characters")

    @model_validator(mode="after")
    def _fit(self) -> Any:
        if self.longest < OWN_IDS:
            raise ValueError(
                f"longest: {self.longest} is less than the {OWN_IDS} characters of Quarterdeck's "
                "ids, by which orders are found again after a restart: such a platform needs an "
                "adapter of its own, see docs/adding-a-broker.md"
            )
        return self


class Abilities(Part):
    """What the platform does by itself."""

    fee_bps: Decimal = Field(default=Decimal(10), ge=0, le=1000, description="taker fee")
    fee_bps_maker: Decimal | None = Field(default=None, ge=-100, le=1000)
    quiet_period_s: float = Field(
        default=30, ge=1, le=3600, description="how long a lost order can still turn up"
    )
    poll_every_s: float = Field(default=5, ge=0, le=3600)
    exact_cash: bool = Field(
        default=True, description="cash moves by trades and their fees alone, to the last digit"
    )
    idempotent: bool = Field(default=False, description="an id sent twice is one order, for ever")
    rests_protection: bool = Field(default=True, description="stops rest at the platform")
    client_id: ClientIds = ClientIds()


class Description(Part):
    """A whole file. ``version`` is that of the format."""

    version: Literal[1]
    name: str = Field(min_length=1, max_length=60, description="as people know it")
    kind: InstrumentKind = InstrumentKind.CRYPTO
    calendar: str = Field(default="", max_length=20)
    addresses: Addresses = Field(description="test: and live: with an address each")
    authentication: Authentication = Field(description="how requests are signed")
    pace: Pace = Pace()
    times: TimeFormat = Field(default=TimeFormat.MS, description="s, ms or iso")
    numbers: Literal["text", "number"] = Field(
        default="text", description="how amounts are sent in JSON; both are read"
    )
    words: Vocabulary = Field(description="its words for sides, types and states")
    order: OrderFields = Field(description="where answers have what of an order")
    endpoints: Endpoints = Field(description="what is asked, and how")
    errors: Errors = Field(description="how it says that something failed")
    capabilities: Abilities = Abilities()

    @model_validator(mode="after")
    def _fits_together(self) -> Any:
        place = self.endpoints.place
        takes = self.words.types
        for name, kinds in (
            ("price", (OrderType.LIMIT, OrderType.STOP_LIMIT)),
            ("stop_price", (OrderType.STOP, OrderType.STOP_LIMIT)),
        ):
            asked = [kind.value for kind in kinds if kind in takes]
            if asked and not place.uses(name):
                raise ValueError(
                    f"words.types has {asked[0]}, but endpoints.place sends no '{{{name}}}'"
                )
        if len(takes) > 1 and not place.uses("type"):
            raise ValueError("words.types has several, but endpoints.place sends no '{type}'")
        if len(self.words.times_in_force) > 1 and not place.uses("time_in_force"):
            raise ValueError(
                "words.times_in_force has several, but endpoints.place sends no '{time_in_force}'"
            )
        if isinstance(self.authentication, NoSigning) and self.addresses.live is not None:
            raise ValueError("authentication is none: nobody trades real money without a key")
        return self

    @property
    def secrets(self) -> frozenset[str]:
        """The names of the secrets that it uses."""
        return self.authentication.secrets

    def address(self, mode: str) -> str | None:
        """Where it is in a mode; None when it has none."""
        if mode == "paper":  # its prices only
            return self.addresses.live or self.addresses.test
        return self.addresses.live if mode == "live" else self.addresses.test
