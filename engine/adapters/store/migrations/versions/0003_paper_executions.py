"""Paper orders found by their fills, and triggers that stay pulled over a restart."""

import json
from datetime import datetime

import sqlalchemy as sa
from alembic import op

from engine.adapters.store.types import time_text

revision = "0003"
down_revision: str | None = "0002"

BATCH = 1000


def upgrade() -> None:
    """Add the columns, fill them from the reports there are, then the index."""
    with op.batch_alter_table("paper_orders") as table:
        table.add_column(sa.Column("symbol", sa.Text, nullable=False, server_default=""))
        table.add_column(sa.Column("traded_at", sa.Text))
        table.add_column(
            sa.Column("is_triggered", sa.Boolean, nullable=False, server_default=sa.false())
        )
    _fill_in()
    with op.batch_alter_table("paper_orders") as table:
        for column in ("symbol", "is_triggered"):
            table.alter_column(column, server_default=None)
    op.create_index(
        "ix_paper_orders_account_id_symbol_traded_at",
        "paper_orders",
        ["account_id", "symbol", "traded_at"],
    )


def _fill_in() -> None:
    """Batch by batch: an account may have a hundred thousand orders."""
    connection, done = op.get_bind(), 0
    find = sa.text(
        f"SELECT seq, report FROM paper_orders WHERE seq > :done ORDER BY seq LIMIT {BATCH}"  # noqa: S608 - a number of our own
    )
    save = sa.text("UPDATE paper_orders SET symbol = :symbol, traded_at = :at WHERE seq = :seq")
    while rows := connection.execute(find, {"done": done}).all():
        connection.execute(save, [{"seq": seq, **_known(report)} for seq, report in rows])
        done = rows[-1].seq


def _known(text: str) -> dict[str, str | None]:
    report = json.loads(text)
    times = [datetime.fromisoformat(fill["time"]) for fill in report["fills"]]
    return {"symbol": report["symbol"], "at": time_text(max(times)) if times else None}
