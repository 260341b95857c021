"""Indexes for what an account's checks and limits ask of fills and orders."""

from alembic import op

revision = "0004"
down_revision: str | None = "0003"


def upgrade() -> None:
    """Add them."""
    op.create_index("ix_fills_client_id", "fills", ["client_id"])
    op.create_index("ix_fills_account_id_time", "fills", ["account_id", "time"])
    op.create_index("ix_orders_account_id_venue_id", "orders", ["account_id", "venue_id"])
