"""The largest orders that an instrument's venue takes."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision: str | None = "0008"


def upgrade() -> None:
    """Add the columns; what was kept before knew no limit."""
    with op.batch_alter_table("instruments") as table:
        for name in ("max_quantity", "max_market_quantity"):
            table.add_column(sa.Column(name, sa.Text, nullable=True))
