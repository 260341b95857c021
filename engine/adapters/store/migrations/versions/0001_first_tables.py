"""The first tables.

Amounts, times and JSON are text: see engine/adapters/store/types.py. A migration is frozen once it
is released, so nothing here reads the table classes.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Create everything."""
    _bots()
    _trading()
    _holdings()
    _records()
    _paper()


def _bots() -> None:
    op.create_table(
        "bots",
        *_texts(
            "id name name_key market symbol strategy timeframe config account_id desired "
            "state reason"
        ),
        *_flags("close_on_stop"),
        *_texts("created_at updated_at"),
        *_texts("started_at decided_until checked_at", nullable=True),
        *_integers("strategy_errors"),
        *_texts("realised_pnl"),
        *_integers("trade_count win_count"),
        _key("bots", "id"),
        _unique("bots", "name_key"),
    )
    _index("bots", "created_at")
    op.create_table(
        "strategy_configurations",
        *_texts("id bot_id"),
        *_integers("version"),
        *_texts("strategy params settings created_at"),
        _key("strategy_configurations", "id"),
        _unique("strategy_configurations", "bot_id", "version"),
        _owned_by_bot("strategy_configurations"),
    )
    op.create_table(
        "instruments",
        *_texts(
            "market symbol name kind base quote price_tick quantity_step min_quantity min_notional"
        ),
        *_flags("can_short"),
        _key("instruments", "market", "symbol"),
    )
    op.create_table(
        "settings",
        *_texts("key value"),
        _key("settings", "key"),
    )
    op.create_table(
        "leases",
        *_texts("name owner"),
        *_integers("term"),
        *_texts("detail expires_at"),
        _key("leases", "name"),
    )


def _trading() -> None:
    op.create_table(
        "orders",
        *_texts("client_id bot_id account_id symbol side type purpose state"),
        *_texts("quantity quote_amount price seen_price", nullable=True),
        *_texts("filled venue_id reason error"),
        *_texts("after_client_id position_id", nullable=True),
        *_texts("decided_at created_at updated_at"),
        _key("orders", "client_id"),
    )
    _index("orders", "bot_id", "created_at")
    _index("orders", "position_id")
    _index("orders", "state")
    op.create_table(
        "fills",
        _sequence(),
        *_texts(
            "id account_id trade_id client_id bot_id position_id symbol side purpose price "
            "quantity fee fee_asset time"
        ),
        _key("fills", "seq"),
        _unique("fills", "account_id", "trade_id"),
        _unique("fills", "id"),
    )
    _index("fills", "bot_id", "time")


def _holdings() -> None:
    op.create_table(
        "positions",
        *_texts(
            "id bot_id account_id symbol side quantity entry_quantity entry_value "
            "exit_quantity exit_value fees"
        ),
        *_integers("entry_count"),
        *_texts("best_price"),
        *_texts("stop_price target_price", nullable=True),
        *_texts("opened_at"),
        *_texts("closed_at", nullable=True),
        *_texts("watched_until"),
        *_flags("is_open"),
        *_texts("exit_reason"),
        _key("positions", "id"),
    )
    _index("positions", "bot_id", "opened_at")
    _index("positions", "is_open")
    op.create_table(
        "position_entries",
        *_texts("id position_id bot_id client_id quantity value fee time"),
        _key("position_entries", "id"),
    )
    _index("position_entries", "position_id")
    op.create_table(
        "trades",
        *_texts(
            "id bot_id bot_name account_id market symbol quote strategy side quantity entry_time "
            "entry_price entry_value exit_time exit_price exit_value fees pnl "
            "return_fraction"
        ),
        *_integers("entry_count"),
        *_texts("exit_reason"),
        _key("trades", "id"),
    )
    _index("trades", "bot_id", "exit_time")
    _index("trades", "exit_time")


def _records() -> None:
    op.create_table(
        "decisions",
        _sequence(),
        *_texts("id bot_id candle_time decided_at action reason"),
        *_floats("price confidence"),
        *_texts("trace"),
        _key("decisions", "seq"),
        _unique("decisions", "bot_id", "candle_time"),
        _unique("decisions", "id"),
        _owned_by_bot("decisions"),
    )
    _index("decisions", "candle_time")
    op.create_table(
        "equity_points",
        _sequence(),
        *_texts("id"),
        *_texts("bot_id", nullable=True),
        *_texts("quote time equity realised unrealised"),
        _key("equity_points", "seq"),
        _unique("equity_points", "id"),
        _owned_by_bot("equity_points"),
    )
    _index("equity_points", "bot_id", "time")
    _index("equity_points", "time")
    op.create_table(
        "events",
        _sequence(),
        *_texts("id time level kind message"),
        *_texts("bot_id", nullable=True),
        *_texts("data"),
        _key("events", "seq"),
        _unique("events", "id"),
    )
    _index("events", "bot_id", "time")
    _index("events", "time")
    op.create_table(
        "audit_entries",
        _sequence(),
        *_texts("id time actor action subject detail previous_digest digest"),
        _key("audit_entries", "seq"),
        _unique("audit_entries", "id"),
    )
    _index("audit_entries", "time")
    op.create_table(
        "webhook_log",
        _sequence(),
        *_texts("id received_at sender content_type body state detail"),
        _key("webhook_log", "seq"),
        _unique("webhook_log", "id"),
    )
    _index("webhook_log", "received_at")
    _index("webhook_log", "state")


def _paper() -> None:
    op.create_table(
        "paper_accounts",
        *_texts("account_id"),
        _key("paper_accounts", "account_id"),
    )
    op.create_table(
        "paper_balances",
        *_texts("account_id asset free locked"),
        _key("paper_balances", "account_id", "asset"),
    )
    op.create_table(
        "paper_orders",
        _sequence(),
        *_texts("account_id client_id"),
        *_flags("is_open"),
        *_texts("request report locked_asset locked_amount"),
        *_texts("matched_until", nullable=True),
        _key("paper_orders", "seq"),
        _unique("paper_orders", "account_id", "client_id"),
    )
    _index("paper_orders", "account_id", "is_open")


def _texts(names: str, *, nullable: bool = False) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=nullable) for name in names.split()]


def _integers(names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.Integer, nullable=False) for name in names.split()]


def _floats(names: str) -> list[sa.Column[float]]:
    return [sa.Column(name, sa.Float, nullable=False) for name in names.split()]


def _flags(names: str) -> list[sa.Column[bool]]:
    return [sa.Column(name, sa.Boolean, nullable=False) for name in names.split()]


def _sequence() -> sa.Column[int]:
    kind = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    return sa.Column("seq", kind, autoincrement=True, nullable=False)


def _key(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=f"pk_{table}")


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint(*columns, name=f"uq_{table}_{'_'.join(columns)}")


def _owned_by_bot(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["bot_id"], ["bots.id"], name=f"fk_{table}_bot_id", ondelete="CASCADE"
    )


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
