"""Models that are asked, and who asks them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from engine.domain.advice import Choice, Counsel, EntryProposal, Situation


@dataclass(frozen=True)
class Question:
    """What a model is asked. ``schema`` is the JSON schema of the answer; ``most_tokens`` bounds
    what it may write, its thoughts included."""

    model: str
    system: str
    prompt: str
    schema: Mapping[str, Any]
    timeout_s: float
    most_tokens: int = 8_192


@dataclass(frozen=True)
class Reply:
    """What it said, unchecked, and what that took. ``tokens_*`` are None where the provider does
    not count them; ``stopped`` says why the answer is none, or not whole."""

    text: str
    tokens_in: int | None
    tokens_out: int | None
    stopped: str = ""


class Model(Protocol):
    """A provider of models. Thread-safe."""

    provider: str

    def ask(self, question: Question) -> Reply:
        """One question, sent once; ends after about ``timeout_s``. Raises ModelRateLimited,
        ModelUnavailable, ConfigError for a key or a model that does not exist."""
        ...


class Advisor(Protocol):
    """Asks a model about a bot and makes sure of what may follow. Never raises for what a model
    or its provider does; whatever goes wrong holds the entry back."""

    async def decide(self, situation: Situation) -> Choice:
        """What the model wants to do now."""
        ...

    async def review(self, situation: Situation, proposal: EntryProposal) -> Counsel:
        """What the model makes of an entry."""
        ...
