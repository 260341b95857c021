"""Alerts, channels, deliveries and price alerts."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision: str | None = "0011"


def upgrade() -> None:
    """Add the tables."""
    _alerts()
    op.create_table(
        "channels",
        *_texts("id name name_key kind settings sealed kinds bots escalate_to"),
        *_texts("created_at updated_at"),
        *_texts("quiet segment_price", nullable=True),
        *_numbers("most_per_minute digest_above digest_window_s escalate_after_s"),
        sa.Column("is_enabled", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_channels"),
        sa.UniqueConstraint("name_key", name="uq_channels_name_key"),
    )
    _deliveries()
    op.create_table(
        "price_alerts",
        *_texts("id market symbol direction price note created_at"),
        *_texts("fired_at fired_price", nullable=True),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in ("is_repeating", "is_enabled")),
        sa.PrimaryKeyConstraint("id", name="pk_price_alerts"),
    )


def _alerts() -> None:
    op.create_table(
        "alerts",
        _sequence(),
        *_texts("id kind level time title text data state"),
        *_texts("bot_id", nullable=True),
        sa.PrimaryKeyConstraint("seq", name="pk_alerts"),
        sa.UniqueConstraint("id", name="uq_alerts_id"),
    )
    for column in ("kind", "time", "bot_id", "state"):
        op.create_index(f"ix_alerts_{column}", "alerts", [column])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        _sequence(),
        *_texts("id alert_id channel_id channel_name channel_kind kind level title text state"),
        *_texts("created_at due_at changed_at provider_id answer error digest_id escalated_from"),
        *_texts("bot_id sent_at cost", nullable=True),
        *_numbers("attempts segments"),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in ("is_escalated", "is_test")),
        sa.PrimaryKeyConstraint("seq", name="pk_deliveries"),
        sa.UniqueConstraint("id", name="uq_deliveries_id"),
    )
    for columns in (["state", "due_at"], ["channel_id", "created_at"], ["alert_id"],
                    ["created_at"]):  # fmt: skip
        op.create_index(f"ix_deliveries_{'_'.join(columns)}", "deliveries", columns)


def _sequence() -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("seq", kind, autoincrement=True, nullable=False)


def _texts(names: str, *, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=nullable) for name in names.split()]


def _numbers(names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names.split()]
