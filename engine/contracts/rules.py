"""Rules without code: what they can be made of, what is kept, and how they would have done."""

from pydantic import ConfigDict, Field

from engine.contracts import Chart
from engine.contracts.base import Contract
from engine.domain.rules import (
    GROUPS,
    Condition,
    Group,
    Operand,
    RuleParameter,
    RuleSet,
    SubGroup,
)

__all__ = [
    "GROUPS", "ComparisonView", "Condition", "Group", "Operand", "RuleCatalogue", "RuleParameter",
    "RuleSet", "RuleTrial", "RuleTrialRequest", "RulesRow", "RulesView", "SlotView", "SourceView",
    "SubGroup",
]  # fmt: skip


class SlotView(Contract):
    """A number that an indicator takes, with its bounds."""

    name: str
    title: str
    default: float
    least: float
    most: float
    is_whole: bool


class SourceView(Contract):
    """A price, an indicator or a plain number: where an operand's values come from."""

    id: str
    title: str
    slots: tuple[SlotView, ...]
    outputs: tuple[str, ...]
    help: str


class ComparisonView(Contract):
    """How two operands are compared; ``needs`` names what is given beside the left one."""

    id: str
    title: str
    needs: tuple[str, ...]


class RuleCatalogue(Contract):
    """Everything that rules can be made of, in the order of the form."""

    sources: tuple[SourceView, ...]
    comparisons: tuple[ComparisonView, ...]


class RulesRow(Contract):
    """A rule set of the strategies folder; ``error`` says why it cannot be used."""

    id: str
    title: str
    error: str = ""
    used_by: tuple[str, ...] = ()


class RulesView(Contract):
    """A rule set with its sentences, by group."""

    id: str
    rules: RuleSet
    sentences: dict[str, str]
    used_by: tuple[str, ...] = ()


class RuleTrialRequest(Contract):
    """Rules, and the candles to try them on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: RuleSet
    market: str = Field(default="simulated", min_length=1, max_length=500)
    symbol: str = Field(default="BTC/USDT", min_length=1, max_length=40)
    timeframe: str = Field(default="15m", max_length=10)
    limit: int = Field(default=500, ge=50, le=5000, description="candles to look at")


class RuleTrial(Contract):
    """Rules in sentences, and on the newest candles of a market.

    ``said`` counts, by group, the candles on which it holds. ``entries`` and ``exits`` count what
    one position at a time would have done, which the chart's markers show; no money is reckoned.
    """

    sentences: dict[str, str]
    warmup: int
    history: int
    said: dict[str, int]
    entries: int
    exits: int
    chart: Chart
