"""The settings as the panel shows them, and the few that it may change."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import SecretStr, ValidationError

from engine.contracts import SettingView
from engine.errors import ConfigError
from engine.services.books import Books
from engine.settings import Settings

EDITABLE = frozenset(
    {
        "paper_balance", "paper_fee_bps", "paper_slippage_bps", "paper_volume_cap",
        "strategy_deadline_s", "hold_retention_days", "log_level", "limit_bot_orders_per_minute",
        "limit_account_orders_per_minute", "limit_paper_orders_per_minute", "limit_order_notional",
        "limit_day_notional", "limit_bot_position", "limit_account_position", "limit_price_band",
        "reconcile_every_s", "foreign_trades", "deposits", "research_deadline_s",
        "base_currency", "equal_assets",
        "candle_fallbacks", "fallback_entries",
        "trusted_proxies", "tradingview_addresses", "inbox_retention_days",
        "api_rate_per_minute",
        "ai_provider", "gemini_model", "openai_model", "ai_budget_usd", "ai_calls_per_minute",
        "ai_calls_per_day", "ai_input_usd_per_million", "ai_output_usd_per_million",
        "news_every_s",
        "deadman_every_s", "watcher_patience_s", "watcher_again_h",
        "alert_zone", "alert_daily_loss", "alert_drawdown", "alert_retention_days",
        "backup_every_h", "backup_keep_daily", "backup_keep_weekly", "backup_keep_monthly",
        "backup_candles",
        "influx_org", "influx_bucket", "influx_every_s", "metrics_enabled",
    }
)  # fmt: skip
"""Not the addresses of vendors: a key of the environment goes to whoever is named there."""
SECRET = frozenset({"database_url"}) | {
    key for key, field in Settings.model_fields.items() if SecretStr in get_args(field.annotation)
}
PREFIX = "setting."


class SettingsDesk:
    """Changes are kept in the database and are in force from the next start."""

    def __init__(self, books: Books, settings: Settings) -> None:
        self._books = books
        self._settings = settings

    def views(self) -> Sequence[SettingView]:
        """Every setting, in the order of its definition; a secret one only says if it is set."""
        with self._books.store.reading() as tx:
            return [self._view(key, tx.find_setting(PREFIX + key)) for key in Settings.model_fields]

    def _view(self, key: str, stored: str | None) -> SettingView:
        field = Settings.model_fields[key]
        value = getattr(self._settings, key)
        shown = "" if value is None else str(value)
        if key in SECRET and shown:
            shown = "(set)"
        default, title = field.default, field.title or key.replace("_", " ")
        return SettingView(
            key=key,
            title=title[:1].upper() + title[1:],
            description=field.description or "",
            value=shown,
            default="" if default is None else str(default),
            is_editable=key in EDITABLE,
            pending=stored if stored is not None and stored != shown else "",
        )

    def update(self, values: Mapping[str, str], actor: str) -> Sequence[SettingView]:
        """Keep new values, all or none. Raises ConfigError naming the key."""
        for key, value in values.items():
            if key not in EDITABLE:
                raise ConfigError(f"'{key}' cannot be changed here.", field=key)
            check_setting(key, value)
        with self._books.writing() as writing:
            for key, value in values.items():
                writing.tx.put_setting(PREFIX + key, value)
            writing.audit(actor, "settings.update", "engine", **dict(values))
        return self.views()


def check_setting(key: str, value: str) -> Any:
    """The value as its setting's own type. Raises ConfigError saying what is wrong."""
    try:
        return getattr(Settings(**{key: value}), key)  # type: ignore[arg-type]
    except ValidationError as error:
        problem = error.errors()[0]["msg"]
        raise ConfigError(f"{key.replace('_', ' ')}: {problem}", field=key) from error
