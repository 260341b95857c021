"""What an account at a MetaTrader terminal is asked for, wherever the terminal runs."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from engine.adapters.brokers.mt5.server_time import AUTO, check_zone
from engine.errors import ConfigError
from engine.ports import SecretField

MAGIC = 5_130_625
"""Any number that no other program on the account uses."""
PASSWORD = SecretField(
    "password",
    "Password",
    "The account's main password. Empty: the one that the terminal has saved.",
    is_optional=True,
)


def _zone(zone: str) -> str:
    try:
        return check_zone(zone)
    except ConfigError as error:
        raise ValueError(error.message) from error


class TerminalOptions(BaseModel):
    """Which account it is, and how its orders are marked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    login: int = Field(gt=0, title="Login", description="The account's number.")
    server: str = Field(
        min_length=1,
        max_length=64,
        title="Server",
        description="As File > Login to Trade Account shows it, such as MetaQuotes-Demo.",
    )
    positions: Literal["hedging", "netting"] = Field(
        default="hedging",
        title="Positions",
        description="How the account keeps them; the terminal's title says it. Only on a netting"
        " account can stops rest at the broker.",
    )
    suffix: str = Field(
        default="",
        max_length=10,
        title="Suffix of symbols",
        description="What the broker puts behind the names of pairs, such as .r in EURUSD.r.",
    )
    server_zone: Annotated[str, AfterValidator(_zone)] = Field(
        default=AUTO,
        title="Time of the server",
        description="'auto' finds it out from prices that move. Otherwise 'New York close', one"
        " such as 'UTC+2', or 'Europe/Athens'.",
    )
    magic: int = Field(
        default=MAGIC,
        gt=0,
        lt=2**63,
        title="Magic number",
        description="Marks the orders of this account's bots; no other program may use it.",
    )
    deviation: int = Field(
        default=20,
        ge=0,
        le=10_000,
        title="Deviation (points)",
        description="How far from its price a market order may be filled, where the broker"
        " executes instantly.",
    )
