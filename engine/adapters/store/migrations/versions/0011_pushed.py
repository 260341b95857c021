"""Prices that are pushed, terminals with an Expert Advisor, and the orders that wait for them."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision: str | None = "0010"


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "pushed_bars",
        *_texts("id account symbol timeframe time open high low close volume"),
        *_numbers("changes"),
        sa.PrimaryKeyConstraint("id", name="pk_pushed_bars"),
    )
    _index("pushed_bars", "account", "symbol", "timeframe", "time")
    op.create_table(
        "pushed_prices",
        *_texts("id account symbol timeframes bid ask sent_at received_at indicators"),
        *_texts("facts", nullable=True),
        *_numbers("digits received"),
        sa.PrimaryKeyConstraint("id", name="pk_pushed_prices"),
    )
    _index("pushed_prices", "account")
    op.create_table(
        "terminals",
        *_texts("account server source seen_at"),
        *_texts("state positions state_at polled_at magic", nullable=True),
        *_numbers("received"),
        sa.PrimaryKeyConstraint("account", name="pk_terminals"),
    )
    _box_orders()


def _box_orders() -> None:
    op.create_table(
        "box_orders",
        *_texts("id account magic account_id client_id comment symbol side type lots contract"),
        *_texts("position created_at touched_at end reason order deals"),
        *_texts("price stop_price valid_until offered_at unknown_since denied_at", nullable=True),
        *_numbers("part parts retcode"),
        *(sa.Column(name, sa.Boolean, nullable=False)
          for name in ("reduces", "is_cancel_wanted", "is_refusal_told", "is_reported")),
        sa.PrimaryKeyConstraint("id", name="pk_box_orders"),
    )  # fmt: skip
    _index("box_orders", "account_id", "client_id")
    _index("box_orders", "account", "end")
    _index("box_orders", "account_id", "symbol", "touched_at")


def _texts(names: str, *, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=nullable) for name in names.split()]


def _numbers(names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names.split()]


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
