"""The risk gate: rules that an entry must pass. Rules are rows; a new rule is a new row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.domain.bots import Bot, BotState
from engine.domain.decisions import TraceStep, Verdict
from engine.domain.instruments import Instrument
from engine.domain.money import ZERO, text
from engine.domain.positions import Position, PositionSide


@dataclass(frozen=True, slots=True)
class Proposal:
    """An entry that somebody wants, and what the rules need to know about it.

    ``control``, ``account`` and ``candles`` say why nothing may be opened: by a person's order,
    since books and venue disagree, since the candles are another venue's. ``free_cash`` is the
    account's quote beside what other bots have reserved; None: not known.
    """

    bot: Bot
    instrument: Instrument
    side: PositionSide
    amount: Decimal
    position: Position | None
    has_working_entry: bool
    control: str | None = None
    account: str | None = None
    candles: str | None = None
    free_cash: Decimal | None = None


@dataclass(frozen=True, slots=True)
class RiskRule:
    """A name and a function that says why not, or None."""

    name: str
    objection: Callable[[Proposal], str | None]


def _control(proposal: Proposal) -> str | None:
    return proposal.control


def _account(proposal: Proposal) -> str | None:
    return proposal.account


def _candles(proposal: Proposal) -> str | None:
    if proposal.candles is None:
        return None
    return f"entries wait for the market's own candles. {proposal.candles}"


def _paused(proposal: Proposal) -> str | None:
    state = proposal.bot.state
    return f"the bot is {state.value}" if state is not BotState.RUNNING else None


def _shorting(proposal: Proposal) -> str | None:
    is_refused = proposal.side is PositionSide.SHORT and not proposal.instrument.can_short
    return f"{proposal.instrument.symbol} cannot be sold short here" if is_refused else None


def _working_entry(proposal: Proposal) -> str | None:
    return "an entry is still working" if proposal.has_working_entry else None


def _entries(proposal: Proposal) -> str | None:
    position = proposal.position
    if position is None or position.side is not proposal.side:
        return None
    most = proposal.bot.config.max_entries
    if position.entry_count < most:
        return None
    return f"already in position with {position.entry_count} of {most} entries"


def _minimum(proposal: Proposal) -> str | None:
    minimum = proposal.instrument.min_notional
    if proposal.amount > 0 and proposal.amount >= minimum:
        return None
    quote = proposal.instrument.quote
    return f"a stake of {proposal.amount} {quote} is below the minimum of {minimum} {quote}"


def _cash(proposal: Proposal) -> str | None:
    held = proposal.position
    is_reversal = held is not None and held.side is not proposal.side
    # What a reversal spends comes from the exit before it, which has not happened yet.
    if proposal.free_cash is None or is_reversal or proposal.amount <= proposal.free_cash:
        return None
    quote, free = proposal.instrument.quote, max(proposal.free_cash, ZERO)
    return (
        f"it needs {text(proposal.amount)} {quote} and {text(free)} {quote} are free beside what"
        " other bots have reserved"
    )


CASH_RULE = "cash"

RULES: tuple[RiskRule, ...] = (
    RiskRule("control", _control),
    RiskRule("account", _account),
    RiskRule("candles", _candles),
    RiskRule("bot state", _paused),
    RiskRule("shorting", _shorting),
    RiskRule("working entry", _working_entry),
    RiskRule("entries", _entries),
    RiskRule("minimum", _minimum),
    RiskRule(CASH_RULE, _cash),
)


def judge(proposal: Proposal, rules: Sequence[RiskRule] = RULES) -> TraceStep:
    """PASS, or VETO with the first rule that objects."""
    for rule in rules:
        objection = rule.objection(proposal)
        if objection is not None:
            return TraceStep(step="risk", verdict=Verdict.VETO, detail=objection,
                             values={"rule": rule.name})  # fmt: skip
    return TraceStep(
        step="risk",
        verdict=Verdict.PASS,
        detail=f"{len(rules)} rules passed",
        values={"amount": str(proposal.amount), "quote": proposal.instrument.quote},
    )
