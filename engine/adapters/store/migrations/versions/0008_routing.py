"""Where routing has a bot trade, and why an order went to its account."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision: str | None = "0007"


def upgrade() -> None:
    """Add the two columns; empty where nothing was routed."""
    with op.batch_alter_table("bots") as table:
        table.add_column(sa.Column("place", sa.Text))
    with op.batch_alter_table("orders") as table:
        table.add_column(sa.Column("routing", sa.Text))
