"""The trading core: order types, account ledgers, findings of reconciliations."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision: str | None = "0001"

FILLED_IN = {
    "orders": ("time_in_force", "is_cancel_wanted"),
    "fills": ("base", "quote", "fee_value"),
    "positions": ("funding", "dust"),
    "trades": ("funding", "dust"),
}
"""New columns that may not be empty: given to the rows there are, no default afterwards."""


def upgrade() -> None:
    """Add columns with what they mean for the rows there are, and three tables."""
    _orders()
    _fills()
    _holdings()
    _accounts()
    for table, columns in FILLED_IN.items():
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.alter_column(column, server_default=None)


def _orders() -> None:
    optional = (
        "stop_price trail_bps expires_at oco_id level_stop level_target sent_at replaces_client_id"
    )
    with op.batch_alter_table("orders") as table:
        for name in optional.split():
            table.add_column(sa.Column(name, sa.Text))
        table.add_column(sa.Column("time_in_force", sa.Text, nullable=False, server_default="gtc"))
        table.add_column(
            sa.Column("is_cancel_wanted", sa.Boolean, nullable=False, server_default=sa.false())
        )
    op.execute("UPDATE orders SET sent_at = updated_at WHERE state NOT IN ('intent', 'rejected')")


def _fills() -> None:
    with op.batch_alter_table("fills") as table:
        for name in ("base", "quote"):
            table.add_column(sa.Column(name, sa.Text, nullable=False, server_default=""))
        table.add_column(sa.Column("fee_value", sa.Text, nullable=False, server_default="0"))
    for name in ("base", "quote"):
        op.execute(
            f"UPDATE fills SET {name} = coalesce((SELECT max(i.{name}) FROM instruments i"  # noqa: S608 - two names of our own
            " WHERE i.symbol = fills.symbol), '')"
        )


def _holdings() -> None:
    for name in ("positions", "trades"):
        with op.batch_alter_table(name) as table:
            for amount in ("funding", "dust"):
                table.add_column(sa.Column(amount, sa.Text, nullable=False, server_default="0"))
    with op.batch_alter_table("positions") as table:
        for name in ("protected_at", "unprotected_since"):
            table.add_column(sa.Column(name, sa.Text))


def _accounts() -> None:
    op.create_table(
        "accounts",
        *_texts("account_id health detail"),
        *_texts("checked_at trades_until", nullable=True),
        sa.PrimaryKeyConstraint("account_id", name="pk_accounts"),
    )
    op.create_table(
        "account_lines",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        *_texts("id account_id asset amount kind bot_id note time"),
        sa.PrimaryKeyConstraint("seq", name="pk_account_lines"),
        sa.UniqueConstraint("id", name="uq_account_lines_id"),
    )
    op.create_index("ix_account_lines_account_id", "account_lines", ["account_id"])
    op.create_table(
        "findings",
        *_texts("id account_id kind subject symbol bot_id books venue amount detail"),
        sa.Column("is_blocking", sa.Boolean, nullable=False),
        *_texts("state first_seen last_seen resolved_by"),
        sa.PrimaryKeyConstraint("id", name="pk_findings"),
    )
    op.create_index("ix_findings_account_id_state", "findings", ["account_id", "state"])
    op.create_index("ix_findings_last_seen", "findings", ["last_seen"])


def _texts(names: str, *, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=nullable) for name in names.split()]
