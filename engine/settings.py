"""Settings from the environment, ``.env`` or the defaults. Paper is the default."""

from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import SettingsConfigDict

from engine.domain.conversion import read_equals
from engine.domain.limits import Limits
from engine.errors import ConfigError
from engine.links.binance import TEST_URL, test_addresses
from engine.settings_alerts import AlertSettings
from engine.settings_backups import BackupSettings
from engine.settings_monitoring import MonitoringSettings
from engine.settings_outside import VENDOR_URL, LimitAmount, OutsideSettings
from engine.settings_watch import WatchSettings

ROOT = Path(__file__).resolve().parent.parent


class Settings(OutsideSettings, AlertSettings, WatchSettings, MonitoringSettings, BackupSettings):
    """Every setting, as ``QUARTERDECK_<NAME>`` in the environment or in ``.env``."""

    model_config = SettingsConfigDict(
        env_prefix="QUARTERDECK_", env_file=ROOT / ".env", extra="ignore", frozen=True
    )

    data: Path = Field(default=ROOT / "data", description="the data folder")
    api_port: int = Field(default=8710, ge=1, le=65535, description="the engine's HTTP port")
    panel_port: int = Field(default=8501, ge=1, le=65535, description="the panel's HTTP port")
    database_url: str | None = Field(
        default=None, description="SQLAlchemy URL; empty means state.db in the data folder"
    )
    strategies: Path = Field(default=ROOT / "strategies", description="the strategies folder")
    simulation_seed: int = Field(default=7, ge=0, description="which simulated world this is")
    paper_balance: Decimal = Field(
        default=Decimal(100_000),
        gt=0,
        title="Opening balance",
        description="of each quote asset of a new paper account",
    )
    paper_fee_bps: Decimal = Field(
        default=Decimal(10), ge=0, le=1000, title="Fee", description="in basis points of the value"
    )
    paper_slippage_bps: Decimal = Field(
        default=Decimal(1),
        ge=0,
        le=1000,
        title="Slippage",
        description="in basis points, against the trader, beside the spread",
    )
    paper_volume_cap: Decimal = Field(
        default=Decimal("0.25"),
        gt=0,
        le=1,
        title="Volume cap",
        description="the share of a minute's volume that one order takes at the most",
    )
    strategy_workers: int = Field(default=2, ge=1, le=32, description="worker processes kept warm")
    strategy_deadline_s: float = Field(
        default=5.0,
        gt=0,
        le=300,
        title="Strategy deadline",
        description="seconds a strategy may take for one decision",
    )
    strategy_memory_mb: int = Field(default=2048, ge=256)
    research_workers: int = Field(
        default=1, ge=1, le=64, description="backtests that run at the same time"
    )
    research_deadline_s: float = Field(
        default=900.0,
        gt=0,
        le=86_400,
        title="Backtest deadline",
        description="seconds one backtest may take, or one task of a study",
    )
    research_memory_mb: int = Field(default=4096, ge=256)
    tune_workers: int | None = Field(
        default=None, ge=1, le=256,
        description="processes for studies; empty means one fewer than there are processors",
    )  # fmt: skip
    dask: str | None = Field(
        default=None,
        description="address of a Dask scheduler for studies, as tcp://host:8786; empty means "
        "processes on this machine",
    )
    lease_ttl_s: float = Field(default=10.0, ge=1, le=300)
    hold_retention_days: int = Field(
        default=14, ge=1, title="Days HOLDs are kept", description="decisions that did nothing"
    )
    reconcile_every_s: int = Field(
        default=60,
        ge=5,
        le=86_400,
        title="Reconcile every",
        description="seconds between two comparisons of an account's books with its venue",
    )
    foreign_trades: Literal["halt", "ignore"] = Field(
        default="halt",
        title="Trades of nobody's",
        description="halt: a trade by hand on a bot's account stops its entries until you decide; "
        "ignore: it is booked as nobody's",
    )
    deposits: Literal["halt", "accept"] = Field(
        default="halt",
        title="Deposits and withdrawals",
        description="halt: an amount that came or went unexplained stops entries until you decide; "
        "accept: it is booked as a deposit or withdrawal where no bot owns the asset",
    )
    base_currency: str = Field(
        default="USD",
        pattern=r"^[A-Z0-9]{2,10}$",
        title="Base currency",
        description="what totals over different assets are shown in, at live rates",
    )
    equal_assets: str = Field(
        default="",
        max_length=300,
        title="Counted as equal",
        description="pairs as USDT=USD, used where no market says what one costs in the other, and "
        "said wherever they are; empty: a stablecoin without a live rate is left out of totals",
    )
    limit_bot_orders_per_minute: int = Field(
        default=60,
        ge=1,
        le=100_000,
        title="Limit: orders a minute of a bot",
        description="on accounts that are not paper; more entries are refused, more exits wait",
    )
    limit_account_orders_per_minute: int = Field(
        default=300,
        ge=1,
        le=100_000,
        title="Limit: orders a minute of an account",
        description="of all its bots together; paper accounts have no such limit",
    )
    limit_paper_orders_per_minute: int = Field(
        default=600,
        ge=1,
        le=100_000,
        title="Limit: orders a minute of a paper bot",
        description="the same on paper; a replay, whose minutes are short, has none",
    )
    limit_order_notional: LimitAmount = Field(
        default=None,
        gt=0,
        title="Limit: value of an order",
        description="of an entry, in its quote asset; empty: no limit",
    )
    limit_day_notional: LimitAmount = Field(
        default=None,
        gt=0,
        title="Limit: value traded in a day",
        description="of an account and quote asset, from midnight to midnight UTC; empty: no limit",
    )
    limit_bot_position: LimitAmount = Field(
        default=None,
        gt=0,
        title="Limit: position of a bot",
        description="in its quote asset, at the last price; empty: no limit",
    )
    limit_account_position: LimitAmount = Field(
        default=None,
        gt=0,
        title="Limit: position of an account in a symbol",
        description="of all its bots together, in the quote asset; empty: no limit",
    )
    limit_price_band: LimitAmount = Field(
        default=Decimal("0.05"),
        gt=0,
        le=1,
        title="Limit: price of an order",
        description="how far a limit may be on the wrong side of the last price, as a fraction of "
        "it: any order beyond is refused; empty: no limit",
    )
    limit_storm_factor: int = Field(
        default=3,
        ge=1,
        le=100,
        title="Breaker: order storm",
        description="so many times the orders a minute pause a bot, or an account, until a person "
        "releases it",
    )
    limit_rejections_in_a_row: int = Field(
        default=20,
        ge=1,
        le=10_000,
        title="Breaker: rejections",
        description="so many orders of a bot that the venue refuses in a row pause the bot",
    )
    binance_test_key: SecretStr | None = Field(
        default=None,
        title="Binance testnet: key",
        description="of an account at testnet.binance.vision; test money only",
    )
    binance_test_secret: SecretStr | None = Field(
        default=None, title="Binance testnet: secret", description="that belongs to the key"
    )
    binance_test_url: str = Field(
        default=TEST_URL,
        title="Binance testnet: address",
        description="the test network's, or that of a stand-in on this machine",
    )
    alpaca_key: SecretStr | None = Field(
        default=None,
        title="Alpaca: key",
        description="for past candles of stocks; those of crypto need none",
    )
    alpaca_secret: SecretStr | None = Field(
        default=None, title="Alpaca: secret", description="that belongs to the key"
    )
    alpaca_data_url: str = Field(
        default="https://data.alpaca.markets",
        pattern=VENDOR_URL,
        title="Alpaca: address of its candles",
        description="or that of a stand-in on this machine",
    )
    yahoo_url: str = Field(
        default="https://query1.finance.yahoo.com",
        pattern=VENDOR_URL,
        title="Yahoo: address of its candles",
        description="or that of a stand-in on this machine",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        title="Key of the secrets",
        description="32 bytes in base64 that seal the accounts' secrets; empty: one is made and "
        "kept in the system's keyring, or in the data folder",
    )
    keyring: bool = Field(
        default=True,
        title="Use the system's keyring",
        description="to keep the key of the secrets in; no: in the data folder",
    )
    candle_fallbacks: str = Field(
        default="ccxt:binance, ccxt:kraken, alpaca, yahoo",
        pattern=r"^\s*((ccxt:[a-z0-9]+|alpaca|yahoo)\s*(,\s*(ccxt:[a-z0-9]+|alpaca|yahoo)\s*)*)?$",
        title="Other sources of candles",
        description="asked in this order when a bot's own market does not answer; empty: none",
    )
    fallback_entries: bool = Field(
        default=False,
        title="Enter on other sources",
        description="whether bots open positions on candles that are not their market's own; "
        "exits are watched on them either way",
    )
    time_server: str = Field(
        default="pool.ntp.org",
        max_length=260,
        pattern=r"^([a-zA-Z0-9.-]+(:[0-9]+)?)?$",
        title="Time server",
        description="asked by diagnostics, when somebody wants a thorough look; empty: none",
    )
    log_level: str = Field(
        default="INFO",
        pattern="^(DEBUG|INFO|WARNING|ERROR)$",
        title="Log level",
        description="DEBUG, INFO, WARNING or ERROR",
    )

    @field_validator("binance_test_url")
    @classmethod
    def _trades_no_real_money(cls, url: str) -> str:
        try:
            test_addresses(url)
        except ConfigError as error:
            raise PydanticCustomError("address", "{why}", {"why": error.message}) from error
        return url

    @field_validator("equal_assets")
    @classmethod
    def _are_pairs(cls, text: str) -> str:
        read_equals(text)
        return text

    def limits(self, is_paper: bool) -> Limits:
        """What the gateway allows on paper accounts, and on all others."""
        bot = self.limit_paper_orders_per_minute if is_paper else self.limit_bot_orders_per_minute
        return Limits(
            bot_orders_per_minute=bot,
            account_orders_per_minute=None if is_paper else self.limit_account_orders_per_minute,
            order_notional=self.limit_order_notional,
            day_notional=self.limit_day_notional,
            price_band=self.limit_price_band,
            bot_position=self.limit_bot_position,
            account_position=self.limit_account_position,
            storm_factor=self.limit_storm_factor,
            rejections_in_a_row=self.limit_rejections_in_a_row,
        )

    @property
    def keys(self) -> tuple[str, str] | tuple[()]:
        """Key and secret of the test network's account, when both are set."""
        if self.binance_test_key is None or self.binance_test_secret is None:
            return ()
        found = (
            self.binance_test_key.get_secret_value().strip(),
            self.binance_test_secret.get_secret_value().strip(),
        )
        return found if all(found) else ()

    @property
    def alpaca_keys(self) -> tuple[str, str] | tuple[()]:
        """Key and secret for Alpaca's candles, when both are set."""
        if self.alpaca_key is None or self.alpaca_secret is None:
            return ()
        found = (
            self.alpaca_key.get_secret_value().strip(),
            self.alpaca_secret.get_secret_value().strip(),
        )
        return found if all(found) else ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every secret among the settings that is set, for the logs to hide."""
        found = (getattr(self, name) for name in type(self).model_fields)
        values = (one.get_secret_value().strip() for one in found if isinstance(one, SecretStr))
        return tuple(value for value in values if value)

    @property
    def fallback_order(self) -> tuple[str, ...]:
        """The other sources of candles, the first first."""
        return tuple(one.strip() for one in self.candle_fallbacks.split(",") if one.strip())

    @property
    def store_url(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite:///{self.data / 'state.db'}"

    @property
    def token_file(self) -> Path:
        """Where the API token is kept, mode 0600."""
        return self.data / "api.token"

    @property
    def backups(self) -> Path:
        """The folder of backups."""
        return self.backup_folder or self.data / "backups"

    @property
    def logs(self) -> Path:
        """The log folder."""
        return self.data / "logs"

    @property
    def api_url(self) -> str:
        """Where the panel and the CLI find the engine."""
        return f"http://127.0.0.1:{self.api_port}"


def load_settings() -> Settings:
    """Read the settings. Raises ConfigError naming the variable that is wrong."""
    try:
        settings = Settings()
    except ValidationError as error:
        problem = error.errors()[0]
        name = "_".join(str(part) for part in problem["loc"]).upper()
        words = problem["msg"][:1].lower() + problem["msg"][1:]
        raise ConfigError(f"QUARTERDECK_{name} cannot be used: {words}.", field=name) from error
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"The file {ROOT / '.env'} cannot be read: {error}.") from error
    data = settings.data.expanduser().resolve()
    if "?" in str(data):  # the rest of the database's URL would be options
        raise ConfigError(f"QUARTERDECK_DATA cannot be used: '{data}' has a '?'.", field="DATA")
    changed = {"data": data}
    if settings.backup_folder is not None:
        changed["backup_folder"] = settings.backup_folder.expanduser().resolve()
    return settings.model_copy(update=changed)
