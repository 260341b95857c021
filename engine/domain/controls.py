"""Controls: what a person or the breaker has ordered to stop, and on what. The strongest counts."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from engine.domain.records import KillLevel, KillSwitch, ScopeKind

Scope = tuple[ScopeKind, str]
"""What a control is on: the kind, and the account's or bot's id or the symbol."""

EVERYTHING: Scope = (ScopeKind.EVERYTHING, "")


def scope_of(switch: KillSwitch) -> Scope:
    """What a control is on."""
    return switch.scope, switch.key


def normal_key(scope: ScopeKind, key: str) -> str:
    """A key as it is compared: symbols in upper case. Raises ValueError when it is missing."""
    key = key.strip()
    if scope is ScopeKind.EVERYTHING:
        if key:
            raise ValueError("a control on everything names nothing")
        return ""
    if not key:
        raise ValueError(f"a control on a {scope.value} needs to know which")
    return key.upper() if scope is ScopeKind.SYMBOL else key


def strongest(switches: Iterable[KillSwitch]) -> dict[Scope, KillSwitch]:
    """What is in force of several accounts of the same controls: the strongest by scope."""
    found: dict[Scope, KillSwitch] = {}
    for switch in switches:
        known = found.get(scope_of(switch))
        if switch.level.strength > (known.level.strength if known else 0):
            found[scope_of(switch)] = switch
    return found


def in_force(
    switches: Mapping[Scope, KillSwitch], *, account_id: str, bot_id: str, symbol: str
) -> KillSwitch:
    """The strongest control that concerns a bot's symbol on an account; the widest of equals."""
    scopes = (
        EVERYTHING,
        (ScopeKind.ACCOUNT, account_id),
        (ScopeKind.SYMBOL, symbol.upper()),
        (ScopeKind.BOT, bot_id),
    )
    found = [switches[scope] for scope in scopes if scope in switches]
    return max(found, key=lambda one: one.level.strength, default=KillSwitch())


def forbids_entries(level: KillLevel, *, is_manual: bool) -> bool:
    """Whether nothing new may be opened; a person's own order is stopped by reduce-only first."""
    least = KillLevel.REDUCE_ONLY if is_manual else KillLevel.PAUSE_ENTRIES
    return level.strength >= least.strength


def to_text(switches: Iterable[KillSwitch]) -> str:
    """All controls as they are kept, in the database as in the latch file."""
    return json.dumps({"controls": [switch.model_dump(mode="json") for switch in switches]})


def from_text(text: str) -> list[KillSwitch]:
    """What ``to_text`` wrote, or the one kill switch of earlier versions. Raises ValueError."""
    try:
        document = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    rows = document.get("controls", [document]) if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise ValueError("not a list of controls")
    return [_read(row) for row in rows]


def _read(row: Any) -> KillSwitch:
    if not isinstance(row, dict) or "level" not in row:
        raise ValueError("a control has no level")
    switch = KillSwitch.model_validate(row)
    return switch.model_copy(update={"key": normal_key(switch.scope, switch.key)})
