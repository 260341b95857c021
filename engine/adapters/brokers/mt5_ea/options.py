"""What an account with an Expert Advisor is asked for."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

EA_MAGIC = 5_130_626
"""The one that the advisor's inputs begin with."""


class AdvisorOptions(BaseModel):
    """Which account it is, and which of the advisors on it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    login: int = Field(gt=0, title="Login", description="The account's number.")
    positions: Literal["hedging", "netting"] = Field(
        default="hedging",
        title="Positions",
        description="How the account keeps them; the terminal's title says it. Only on a netting"
        " account can stops rest at the broker.",
    )
    magic: int = Field(
        default=EA_MAGIC,
        gt=0,
        lt=2**63,
        title="Magic number",
        description="As in the inputs of the advisor that executes this account's orders.",
    )
