"""Studies, and the schedule by which bots are tuned again."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision: str | None = "0005"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "studies",
        *_texts("id name strategy symbol state request progress summary error error_field"),
        *_texts("source_sha256 retune_of created_at"),
        *_texts("started_at finished_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_studies"),
    )
    for column in ("strategy", "state", "created_at"):
        op.create_index(f"ix_studies_{column}", "studies", [column])
    op.create_table(
        "retunes",
        *_texts("bot_id settings"),
        *_texts("next_at", nullable=True),
        *_texts("study_id wins outcome updated_at"),
        sa.PrimaryKeyConstraint("bot_id", name="pk_retunes"),
        sa.ForeignKeyConstraint(
            ["bot_id"], ["bots.id"], name="fk_retunes_bot_id", ondelete="CASCADE"
        ),
    )


def _texts(names: str, *, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=nullable) for name in names.split()]
