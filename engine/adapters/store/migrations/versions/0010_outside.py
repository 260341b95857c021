"""Signals, listeners, advice, news and API tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision: str | None = "0009"


def upgrade() -> None:
    """Add the tables."""
    _signals()
    _listeners()
    _advice()
    with op.batch_alter_table("orders") as table:  # what a model has left of a reversal's entry
        table.add_column(sa.Column("stake_share", sa.Text))
    op.create_table(
        "news",
        *_texts("id source symbol published_at title summary url fetched_at"),
        sa.Column("sentiment", sa.Float, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_news"),
    )
    op.create_index("ix_news_symbol_published_at", "news", ["symbol", "published_at"])
    op.create_index("ix_news_published_at", "news", ["published_at"])
    op.create_table(
        "api_tokens",
        *_texts("id name name_key digest scopes created_at"),
        *_texts("expires_at last_used_at revoked_at", nullable=True),
        sa.Column("rate_per_minute", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_api_tokens"),
        sa.UniqueConstraint("name_key", name="uq_api_tokens_name_key"),
        sa.UniqueConstraint("digest", name="uq_api_tokens_digest"),
    )


def _signals() -> None:
    seq = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "signals",
        sa.Column("seq", seq, autoincrement=True, nullable=False),
        *_texts("id source kind sender digest state outcome received_at address content_type"),
        *_texts("body decision_id order_ids replay_of"),
        *_texts("bot_id sent_at acted_at order", nullable=True),
        sa.Column("copies", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_signals"),
        sa.UniqueConstraint("id", name="uq_signals_id"),
    )
    for columns in (["sender", "digest", "received_at"], ["bot_id", "received_at"], ["state"],
                    ["received_at"]):  # fmt: skip
        op.create_index(f"ix_signals_{'_'.join(columns)}", "signals", columns)


def _listeners() -> None:
    op.create_table(
        "listeners",
        *_texts("bot_id key_digest sealed_key sealed_secret created_at"),
        *_texts("last_signal_at missed_since", nullable=True),
        sa.PrimaryKeyConstraint("bot_id", name="pk_listeners"),
        sa.UniqueConstraint("key_digest", name="uq_listeners_key_digest"),
        sa.ForeignKeyConstraint(
            ["bot_id"], ["bots.id"], name="fk_listeners_bot_id", ondelete="CASCADE"
        ),
    )


def _advice() -> None:
    op.create_table(
        "advice",
        *_texts("id bot_id bot_name role purpose state provider model market symbol timeframe"),
        *_texts("candle_time asked_at price system prompt answer error decision_id cost"),
        *_texts("replay_of facts"),
        *_texts("decision counsel proposal outcome outcome_due_at", nullable=True),
        sa.Column("latency_s", sa.Float, nullable=False),
        sa.Column("tokens_in", sa.Integer, nullable=False),
        sa.Column("tokens_out", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_advice"),
    )
    for columns in (["bot_id", "asked_at"], ["asked_at"], ["decision_id"], ["outcome_due_at"]):
        op.create_index(f"ix_advice_{'_'.join(columns)}", "advice", columns)


def _texts(names: str, *, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=nullable) for name in names.split()]
