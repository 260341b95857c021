"""Accounts at venues, their sealed secrets, and the hours of instruments."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision: str | None = "0006"


def upgrade() -> None:
    """Add the tables and the column."""
    op.create_table(
        "venue_accounts",
        *_texts("id name name_key venue mode options"),
        sa.Column("is_enabled", sa.Boolean, nullable=False),
        *_texts("created_at updated_at"),
        *_texts("tested_at inspection expires_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_venue_accounts"),
        sa.UniqueConstraint("name_key", name="uq_venue_accounts_name_key"),
    )
    op.create_table(
        "account_secrets",
        *_texts("id account_id name sealed updated_at"),
        sa.PrimaryKeyConstraint("id", name="pk_account_secrets"),
    )
    op.create_index("ix_account_secrets_account_id", "account_secrets", ["account_id"])
    with op.batch_alter_table("instruments") as table:
        table.add_column(sa.Column("calendar", sa.Text, nullable=False, server_default=""))
    with op.batch_alter_table("instruments") as table:
        table.alter_column("calendar", server_default=None)


def _texts(names: str, *, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=nullable) for name in names.split()]
