"""Rule sets kept as files beside the strategies of code."""

from collections.abc import Sequence
from typing import Protocol

from engine.domain.rules import RuleSet


class RuleBook(Protocol):
    """Keeps rule sets by id; the strategy host finds what is written by itself."""

    def ids(self) -> Sequence[str]:
        """Every rule set there is, broken ones too, sorted."""
        ...

    def read(self, rules_id: str) -> RuleSet:
        """Raises NotFound, or StrategyError when what is kept cannot be used."""
        ...

    def write(self, rules_id: str, rules: RuleSet, *, is_new: bool) -> None:
        """Keep, as a whole or not at all. Raises ConfigError for a name that cannot be, Conflict
        for one that another strategy has, or that is taken when it ``is_new``, StoreError."""
        ...

    def delete(self, rules_id: str) -> None:
        """Raises NotFound."""
        ...
