"""Backtests: what was asked, what became of it."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision: str | None = "0004"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "backtest_runs",
        *_texts("id name strategy timeframe state stage"),
        sa.Column("progress", sa.Float, nullable=False),
        *_texts("request quote coverage warnings metrics"),
        sa.Column("trade_count", sa.Integer, nullable=False),
        *_texts(
            "error error_field engine_version candles_sha256 strategy_sha256 rerun_of created_at"
        ),
        *_texts("started_at finished_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_backtest_runs"),
    )
    for column in ("strategy", "state", "created_at"):
        op.create_index(f"ix_backtest_runs_{column}", "backtest_runs", [column])


def _texts(names: str, *, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=nullable) for name in names.split()]
