"""A signal on its way to a decision: with its bot as it stands, and what was weighed so far."""

from dataclasses import dataclass, replace
from decimal import Decimal

from engine.domain.advice import Counsel, EntryProposal
from engine.domain.bots import Bot
from engine.domain.decisions import TraceStep, Verdict
from engine.domain.instruments import Instrument
from engine.domain.positions import Position
from engine.domain.signal_rules import NOTHING, Levels, Meaning, Size, decision_key
from engine.domain.signal_trace import veto_step
from engine.domain.signals import Signal, SignalOrder, SignalState
from engine.ports import MarketData


class Settled(Exception):
    """The end of a signal that leads to no decision."""

    def __init__(self, state: SignalState, outcome: str) -> None:
        super().__init__(outcome)
        self.state = state
        self.outcome = outcome


class NotYet(Exception):
    """Something has to happen first, and soon may."""


@dataclass(frozen=True)
class Wait:
    """Nothing can be decided yet: the reason."""

    reason: str


@dataclass(frozen=True)
class Ask:
    """An advisor is to be asked about an entry before it is decided."""

    bot: Bot
    proposal: EntryProposal
    decision_id: str


@dataclass(frozen=True)
class Advised:
    """What an advisor was asked, and what it said."""

    ask: Ask
    counsel: Counsel


@dataclass(frozen=True)
class Entry:
    """What an entry would be; ``is_advised``: an advisor set levels to it."""

    size: Size
    levels: Levels
    price: Decimal
    is_advised: bool = False


@dataclass(frozen=True)
class Case:
    """A signal and its bot as they stand.

    ``meaning`` is what the signal means, ``wanted`` what it meant before anything spoke against
    its entry, ``steps`` what was weighed after that.
    """

    signal: Signal
    order: SignalOrder
    bot: Bot
    market: MarketData
    instrument: Instrument
    position: Position | None = None
    meaning: Meaning = NOTHING
    wanted: Meaning = NOTHING
    steps: tuple[TraceStep, ...] = ()
    has_cancelled: bool = False

    @property
    def is_second(self) -> bool:
        """Whether the exit of a reversal was made already, and only its entry is left."""
        return bool(self.signal.order_ids)

    @property
    def decision_id(self) -> str:
        """That of the decision; the entry after an exit of its own is another one."""
        key = decision_key(self.bot.id, self.signal.id)
        return f"{key}-e" if self.is_second else key

    def with_steps(self, *steps: TraceStep) -> "Case":
        """The case after more was weighed; a veto takes the entry away."""
        is_vetoed = any(step.verdict is Verdict.VETO for step in steps)
        meaning = replace(self.meaning, entry=None) if is_vetoed else self.meaning
        return replace(self, meaning=meaning, steps=(*self.steps, *steps))

    def without_entry(self, step: str, reason: str) -> "Case":
        """The case without its entry, and why."""
        return self.with_steps(veto_step(step, reason))
