"""Figures of advice: how often it was right, what it cost, what holding entries back was worth."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from engine.contracts.ai import AdviceLine, CostLine, Costs, HeldBack
from engine.domain.advice import (
    Advice,
    AdviceOutcome,
    AdvicePurpose,
    AdviceState,
    CounselVerdict,
    ModelAction,
    ModelDecision,
)
from engine.domain.advice_statistics import Calibration, calibration
from engine.domain.money import ZERO

CONSEQUENT = (AdvicePurpose.DECIDE, AdvicePurpose.REVIEW)
"""Questions from whose answers something follows; dry runs and replays count for costs alone."""

COLUMNS = (
    "purpose", "state", "action", "verdict", "decision", "outcome", "outcome_due_at", "latency_s",
    "market", "symbol", "bot_name", "model", "tokens_in", "tokens_out", "cost",
)  # fmt: skip
"""What figures are made of; prompts and answers are not read for them."""

HELD = (CounselVerdict.VETO, CounselVerdict.REDUCE)


@dataclass(frozen=True)
class Fact:
    """``COLUMNS`` of one advice, as the store gives them."""

    purpose: str
    state: str
    action: str
    verdict: str
    decision: Any
    outcome: Any
    outcome_due_at: datetime | None
    latency_s: float
    market: str
    symbol: str
    bot_name: str
    model: str
    tokens_in: int
    tokens_out: int
    cost: Decimal

    @property
    def known(self) -> AdviceOutcome | None:
        """What came of it; None while that is not known."""
        return None if self.outcome is None else AdviceOutcome.model_validate(self.outcome)

    @property
    def confidence(self) -> float | None:
        """How sure the model was."""
        if self.decision is None:
            return None
        return ModelDecision.model_validate(self.decision).confidence


def facts_of(rows: Iterable[Sequence[Any]]) -> list[Fact]:
    """Rows of ``COLUMNS``."""
    return [Fact(*row) for row in rows]


def consequent(facts: Iterable[Fact]) -> list[Fact]:
    """Those from whose answers something followed."""
    return [one for one in facts if one.purpose in CONSEQUENT]


def calibration_of(facts: Iterable[Fact]) -> Calibration:
    """Of the answers of which it is known whether they were right."""
    judged = []
    for one in facts:
        known, confidence = one.known, one.confidence
        if known is not None and known.is_right is not None and confidence is not None:
            judged.append((confidence, known.is_right))
    return calibration(judged)


def states_of(facts: Iterable[Fact]) -> dict[AdviceState, int]:
    """How many came to what."""
    return {AdviceState(state): n for state, n in Counter(one.state for one in facts).items()}


def verdicts_of(facts: Iterable[Fact]) -> dict[CounselVerdict, int]:
    """What became of the entries that advisors judged."""
    judged = (one.verdict for one in facts if one.purpose == AdvicePurpose.REVIEW and one.verdict)
    return {CounselVerdict(verdict): n for verdict, n in Counter(judged).items()}


def actions_of(facts: Iterable[Fact]) -> dict[ModelAction, int]:
    """What the models wanted."""
    wanted = (one.action for one in facts if one.action)
    return {ModelAction(action): n for action, n in Counter(wanted).items()}


def latency_of(facts: Iterable[Fact], share: float) -> float | None:
    """That share of the answers came within so many seconds; the nearest rank."""
    ordered = sorted(one.latency_s for one in facts if one.state == AdviceState.ANSWERED)
    return ordered[round(share * (len(ordered) - 1))] if ordered else None


# --- costs --------------------------------------------------------------------------------------


def costs_of(
    facts: Sequence[Fact], paid: Sequence[tuple[datetime, Decimal]], now: datetime
) -> Costs:
    """``paid`` is every cost of the last 30 days with its time, ``facts`` the chosen questions."""
    midnight = datetime.combine(now.date(), time(), now.tzinfo)

    def since(moment: datetime) -> Decimal:
        return sum((cost for at, cost in paid if at >= moment), ZERO)

    return Costs(
        today=since(midnight),
        week=since(now - timedelta(days=7)),
        month=since(now - timedelta(days=30)),
        by_bot=_lines(facts, lambda one: one.bot_name),
        by_model=_lines(facts, lambda one: one.model),
    )


def _lines(facts: Iterable[Fact], name_of: Callable[[Fact], str]) -> tuple[CostLine, ...]:
    """The dearest first."""
    grouped: dict[str, list[Fact]] = defaultdict(list)
    for one in facts:
        grouped[name_of(one)].append(one)
    lines = [
        CostLine(
            name=name, calls=len(ones), tokens_in=sum(one.tokens_in for one in ones),
            tokens_out=sum(one.tokens_out for one in ones),
            cost=sum((one.cost for one in ones), ZERO),
        )
        for name, ones in grouped.items()
    ]  # fmt: skip
    return tuple(sorted(lines, key=lambda line: (-line.cost, line.name)))


# --- what was held back -------------------------------------------------------------------------


def held_back(
    facts: Iterable[Fact], quotes: Mapping[tuple[str, str], str], *, by_bot: bool
) -> tuple[HeldBack, ...]:
    """By quote asset, and by bot where asked; ``quotes`` is each market's and symbol's."""
    grouped: dict[tuple[str, str], list[Fact]] = defaultdict(list)
    for one in facts:
        quote = quotes.get((one.market, one.symbol), "")
        grouped[(quote, one.bot_name if by_bot else "")].append(one)
    found = (_held_back(*key, ones) for key, ones in sorted(grouped.items()))
    return tuple(one for one in found if one.vetoed or one.reduced or one.passed)


def _held_back(quote: str, bot_name: str, facts: Sequence[Fact]) -> HeldBack:
    held = [
        one for one in facts if one.purpose == AdvicePurpose.REVIEW and one.verdict in HELD
    ]  # fmt: skip
    outcomes = [one.known for one in held]
    values = [one.value for one in outcomes if one is not None and one.value is not None]
    passed = [
        known.value
        for one in facts
        if (known := one.known) is not None and known.value is not None
        and not known.is_hypothetical
    ]  # fmt: skip
    return HeldBack(
        quote=quote,
        bot_name=bot_name,
        vetoed=sum(one.verdict == CounselVerdict.VETO for one in held),
        reduced=sum(one.verdict == CounselVerdict.REDUCE for one in held),
        waiting=sum(one is None for one in outcomes),
        unknown=sum(one is not None and one.value is None for one in outcomes),
        value=sum(values, ZERO),
        mean=sum(values, ZERO) / len(values) if values else None,
        passed=len(passed),
        passed_value=sum(passed, ZERO),
    )


# --- lines --------------------------------------------------------------------------------------


def line_of(advice: Advice) -> AdviceLine:
    """An advice as lists show it."""
    counsel, proposal = advice.counsel, advice.proposal
    own = {name: getattr(advice, name) for name in AdviceLine.model_fields if name in OWN}
    return AdviceLine(
        **own,
        verdict=counsel.verdict if counsel else None,
        verdict_reason=counsel.reason if counsel else "",
        side=proposal.side if proposal else None,
        tokens=advice.tokens_in + advice.tokens_out,
    )


OWN = frozenset(AdviceLine.model_fields) & frozenset(Advice.model_fields)

CSV_COLUMNS = (
    "id", "asked_at", "bot_name", "role", "purpose", "state", "provider", "model", "market",
    "symbol", "timeframe", "candle_time", "price", "action", "confidence", "risk_level", "size",
    "stop", "target", "horizon_minutes", "reasoning", "verdict", "verdict_reason", "side",
    "amount", "latency_s", "tokens_in", "tokens_out", "cost_usd", "error", "move", "is_right",
    "value", "is_hypothetical", "outcome", "decision_id", "replay_of",
)  # fmt: skip
"""Of the export: everything but prompt and answer."""


def csv_row(advice: Advice) -> list[object]:
    """``CSV_COLUMNS`` of an advice; empty where there is nothing."""
    decision, counsel, proposal = advice.decision, advice.counsel, advice.proposal
    outcome = advice.outcome or AdviceOutcome()
    said = decision.model_dump() if decision else {}
    cells: dict[str, object] = {
        **{name: getattr(advice, name) for name in CSV_COLUMNS if name in Advice.model_fields},
        **{name: said.get(name) for name in CSV_COLUMNS if name in ModelDecision.model_fields},
        "role": advice.role.value, "purpose": advice.purpose.value, "state": advice.state.value,
        "action": advice.action, "risk_level": decision.risk_level.value if decision else None,
        "verdict": advice.verdict, "verdict_reason": counsel.reason if counsel else None,
        "side": proposal.side.value if proposal else None,
        "amount": proposal.amount if proposal else None,
        "cost_usd": advice.cost, "move": outcome.move, "is_right": outcome.is_right,
        "value": outcome.value, "outcome": outcome.detail,
        "is_hypothetical": outcome.is_hypothetical if advice.outcome else None,
    }  # fmt: skip
    return [cells[name] for name in CSV_COLUMNS]
