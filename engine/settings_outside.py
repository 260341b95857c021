"""Settings of what comes from outside: signals, other programs, models, news."""

import re
from decimal import Decimal
from ipaddress import ip_network
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

VENDOR_URL = r"^(https://[\w.-]+|http://(127\.0\.0\.1|localhost))(:\d+)?$"
VENDOR_PAGE = re.compile(r"(https://[\w.-]+|http://(127\.0\.0\.1|localhost))(:\d+)?(/\S*)?")
"""The same with a path."""
TRADINGVIEW = "52.89.214.238, 34.212.75.30, 54.218.53.128, 52.32.178.7"


def _empty_is_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


LimitAmount = Annotated[Decimal | None, BeforeValidator(_empty_is_none)]
"""An amount or, left empty, no limit."""


class OutsideSettings(BaseSettings):
    """A part of ``engine.settings.Settings``."""

    # --- signals
    inbox_port: int | None = Field(
        default=None, ge=1, le=65535,
        description="a second port that takes signals and nothing else, for a tunnel or a reverse "
        "proxy; empty: none",
    )  # fmt: skip
    inbox_host: str = Field(
        default="127.0.0.1", max_length=100,
        description="the address that port listens on; others than this machine's need a proxy "
        "with TLS before them",
    )  # fmt: skip
    inbox_public_url: str = Field(
        default="", max_length=300, pattern=r"^(https?://[\w.\-]+(:\d+)?(/[\w.\-/]*)?)?$",
        title="Public address of the inbox",
        description="as a tunnel or a reverse proxy shows it to the world: "
        "https://signals.example.org; only used to write addresses down",
    )  # fmt: skip
    trusted_proxies: str = Field(
        default="", max_length=500, title="Trusted proxies",
        description="addresses or networks that tell who sent a signal by X-Forwarded-For",
    )  # fmt: skip
    tradingview_addresses: str = Field(
        default=TRADINGVIEW, max_length=500, title="TradingView's addresses",
        description="from which its alerts come",
    )  # fmt: skip
    inbox_retention_days: int = Field(
        default=90, ge=1, le=3_650, title="Days signals are kept",
        description="MetaTrader's prices for one day",
    )  # fmt: skip
    # --- the API
    api_rate_per_minute: int = Field(
        default=6_000, ge=10, le=1_000_000, title="API: requests a minute",
        description="of a client without a token of its own",
    )  # fmt: skip
    # --- models
    gemini_key: SecretStr | None = Field(
        default=None, title="Gemini: key", description="from aistudio.google.com"
    )
    gemini_url: str = Field(
        default="https://generativelanguage.googleapis.com", pattern=VENDOR_URL,
        title="Gemini: address", description="or that of a stand-in on this machine",
    )  # fmt: skip
    gemini_model: str = Field(
        default="gemini-2.5-flash", pattern=r"^[a-zA-Z0-9_.\-]{1,100}$", title="Gemini: model"
    )
    ai_provider: str = Field(
        default="gemini", pattern=r"^(gemini|openai)$", title="Model provider",
        description="gemini, or openai for any server that speaks its chat completions",
    )  # fmt: skip
    openai_url: str = Field(
        default="http://127.0.0.1:11434", pattern=VENDOR_URL, title="Other models: address",
        description="of a server with /v1/chat/completions, as Ollama's on this machine",
    )  # fmt: skip
    openai_model: str = Field(
        default="llama3.1", pattern=r"^[a-zA-Z0-9_.\-:/]{1,100}$", title="Other models: model"
    )
    openai_key: SecretStr | None = Field(
        default=None, title="Other models: key", description="where the server wants one"
    )
    ai_budget_usd: Decimal = Field(
        default=Decimal(1), ge=0, le=10_000, title="Model budget a day",
        description="in US dollars, from midnight to midnight UTC; used up: nothing is opened",
    )  # fmt: skip
    ai_calls_per_minute: int = Field(
        default=10, ge=1, le=10_000, title="Model calls a minute", description="of all bots"
    )
    ai_calls_per_day: int = Field(
        default=500, ge=1, le=1_000_000, title="Model calls a day", description="of all bots"
    )
    ai_input_usd_per_million: Decimal = Field(
        default=Decimal("0.30"), ge=0, le=1_000, title="Price of input",
        description="US dollars for a million tokens",
    )  # fmt: skip
    ai_output_usd_per_million: Decimal = Field(
        default=Decimal("2.50"), ge=0, le=1_000, title="Price of output",
        description="US dollars for a million tokens",
    )  # fmt: skip
    # --- news
    newsapi_key: SecretStr | None = Field(default=None, title="NewsAPI: key", description="news")
    newsapi_url: str = Field(
        default="https://newsapi.org", pattern=VENDOR_URL, title="NewsAPI: address",
        description="or that of a stand-in on this machine",
    )  # fmt: skip
    finnhub_key: SecretStr | None = Field(default=None, title="Finnhub: key", description="news")
    finnhub_url: str = Field(
        default="https://finnhub.io", pattern=VENDOR_URL, title="Finnhub: address",
        description="or that of a stand-in on this machine",
    )  # fmt: skip
    alphavantage_key: SecretStr | None = Field(
        default=None, title="Alpha Vantage: key", description="news with sentiment"
    )
    alphavantage_url: str = Field(
        default="https://www.alphavantage.co", pattern=VENDOR_URL,
        title="Alpha Vantage: address", description="or that of a stand-in on this machine",
    )  # fmt: skip
    news_every_s: int = Field(
        default=900, ge=60, le=86_400, title="Ask for news every",
        description="seconds, for each symbol that a model is asked about",
    )  # fmt: skip

    @field_validator("trusted_proxies", "tradingview_addresses")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        for one in listed(text):
            try:
                ip_network(one)
            except ValueError as error:
                raise ValueError(f"'{one}' is no address such as 10.0.0.1 or 10.0.0.0/8") from error
        return text


def listed(text: str) -> tuple[str, ...]:
    """What is named between commas."""
    return tuple(one.strip() for one in text.split(",") if one.strip())
