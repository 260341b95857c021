"""What is new about a channel: for the audit trail, and for those who did not change it."""

from typing import Any

from engine.domain.alerts import Channel
from engine.domain.records import Level
from engine.services.books import Writing

COMMANDING = {"commands": "no", "users": ""}
"""Fields that let a chat command the engine, as they are without it: to what they are changed is
told."""


def difference(before: Channel, after: Channel) -> dict[str, Any]:
    """What is new, for the audit trail: of secrets no more than their names."""
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    found = {name: value for name, value in new.items()
             if name not in ("sealed", "updated_at") and value != old[name]}  # fmt: skip
    replaced = sorted(
        name for name, sealed in after.sealed.items() if before.sealed.get(name) != sealed
    )
    return {**found, "secrets": replaced} if replaced else found


def tell_change(writing: Writing, before: Channel, after: Channel) -> None:
    """Events of what somebody should know of who did not make the change."""
    if before.is_enabled != after.is_enabled:
        state = "enabled" if after.is_enabled else "disabled"
        level = Level.INFO if after.is_enabled else Level.WARNING
        writing.event(level, f"channel.{state}", f"The channel '{after.name}' was {state}.")
    old, new = ({**COMMANDING, **one.settings} for one in (before, after))
    if any(old[name] != new[name] for name in COMMANDING):
        commands, users = new["commands"], new["users"]
        may = {"trade": "command", "read": "ask"}.get(commands, "neither ask nor command")
        who = f" Of its users, these: {users}." if users else ""
        writing.event(
            Level.WARNING, "channel.commands",
            f"The chat of '{after.name}' may {may} the engine from now on.{who}",
            channel=after.id, commands=commands, users=users,
        )  # fmt: skip
