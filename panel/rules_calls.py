"""The calls of the rule builder, a part of the pages' door to the engine."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from engine.contracts.rules import RuleCatalogue, RulesRow, RulesView, RuleTrial
from panel.connection import Connection

RULES = "/api/v1/rules"


class RuleCalls(Connection):
    """Rules in the form of mappings may hold anything: the engine judges them."""

    def rule_sets(self) -> list[RulesRow]:
        """All rule sets, broken ones with their error."""
        return self._get(list[RulesRow], RULES)

    def rule_catalogue(self) -> RuleCatalogue:
        """What rules can be made of."""
        return self._get(RuleCatalogue, f"{RULES}/catalogue")

    def rule_set(self, rules_id: str) -> RulesView:
        """One rule set."""
        return self._get(RulesView, _rules(rules_id))

    def save_rules(self, rules_id: str, rules: Mapping[str, Any], *, is_new: bool) -> RulesView:
        """Keep rules as a strategy; a new one must not take a name that is in use."""
        query = {"is_new": "true" if is_new else "false"}
        return self._parse(RulesView, self._send("PUT", _rules(rules_id), rules, query=query))

    def delete_rules(self, rules_id: str) -> None:
        """Remove rules that no bot uses."""
        self._send("DELETE", _rules(rules_id))

    def try_rules(self, request: Mapping[str, Any]) -> RuleTrial:
        """Rules on past candles of a market; nothing is kept."""
        return self._post(RuleTrial, f"{RULES}/preview", request)


def _rules(rules_id: str) -> str:
    return f"{RULES}/{quote(rules_id, safe='')}"
