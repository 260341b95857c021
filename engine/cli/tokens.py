"""``tokens list|create|revoke``: API tokens for other programs."""

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote

import typer

from engine.cli.context import desk_of
from engine.cli.failures import BadInput
from engine.cli.output import moment, pairs, table
from engine.domain.tokens import Scope

Name = Annotated[str, typer.Argument(help="what it is for, such as tablet-1")]
Key = Annotated[str, typer.Argument(help="a token's name or id")]
Scopes = Annotated[list[Scope], typer.Option("--scope", help="once for each scope")]
Days = Annotated[int | None, typer.Option(help="until it expires  [until it is revoked]")]
Rate = Annotated[int, typer.Option(help="requests a minute")]


def list_tokens(ctx: typer.Context) -> None:
    """All tokens, the newest first; their texts are kept nowhere."""
    desk = desk_of(ctx)
    tokens = desk.engine.get("/tokens")
    head = ("token", "state", "scopes", "a minute", "made (UTC)", "expires (UTC)", "used (UTC)")
    rows = [
        (one["name"], _state(one), " ".join(one["scopes"]), str(one["rate_per_minute"]),
         moment(one["created_at"]), moment(one["expires_at"]), moment(one["last_used_at"]))
        for one in tokens
    ]  # fmt: skip
    empty = "No tokens yet; 'python -m engine tokens create NAME --scope read' makes one."
    desk.printer.show(tokens, table(head, rows, empty))


def create(
    ctx: typer.Context,
    name: Name,
    scopes: Scopes,
    days: Days = None,
    rate: Rate = 600,
) -> None:
    """Make a token. Its text is printed this once."""
    desk = desk_of(ctx)
    body: dict[str, Any] = {
        "name": name, "scopes": _unique(scopes), "rate_per_minute": rate, "expires_in_days": days,
    }  # fmt: skip
    made = desk.engine.post("/tokens", body)
    token = made["token"]
    lines = pairs([
        ("token", made["text"]),
        ("name", token["name"]),
        ("scopes", " ".join(token["scopes"])),
        ("expires", moment(token["expires_at"])),
    ])  # fmt: skip
    desk.printer.show(made, [*lines, "", "Copy it now: it is not shown again."])


def revoke(ctx: typer.Context, key: Key) -> None:
    """End a token, at once and for good."""
    if not key.strip() or key in (".", ".."):
        raise BadInput("A token is named by its name or id.")
    desk = desk_of(ctx)
    desk.engine.delete(f"/tokens/{quote(key, safe='')}")
    desk.printer.show({"revoked": key}, [f"{key} opens nothing any more."])


def build() -> typer.Typer:
    """``tokens`` with its commands."""
    app = typer.Typer(help="API tokens for other programs.", no_args_is_help=True)
    app.command("list")(list_tokens)
    app.command("create")(create)
    app.command("revoke")(revoke)
    return app


def _state(token: dict[str, Any]) -> str:
    if token["revoked_at"]:
        return "revoked"
    return "valid" if token["is_valid"] else "expired"


def _unique(scopes: Sequence[Scope]) -> list[str]:
    return list(dict.fromkeys(scope.value for scope in scopes))
