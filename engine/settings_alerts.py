"""Settings of alerts: addresses of the services, when summaries come, what counts as a loss."""

from decimal import Decimal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

from engine.settings_outside import VENDOR_URL, LimitAmount


class AlertSettings(BaseSettings):
    """A part of ``engine.settings.Settings``."""

    twilio_url: str = Field(
        default="https://api.twilio.com", pattern=VENDOR_URL, title="Twilio: address",
        description="or that of a stand-in on this machine",
    )  # fmt: skip
    telegram_url: str = Field(
        default="https://api.telegram.org", pattern=VENDOR_URL, title="Telegram: address",
        description="or that of a stand-in on this machine",
    )  # fmt: skip
    alert_zone: str = Field(
        default="UTC", max_length=60, title="Time zone of summaries",
        description="as in Europe/Berlin; they come at 00, 06, 12 and 18 o'clock there",
    )  # fmt: skip
    alert_daily_loss: LimitAmount = Field(
        default=Decimal("0.03"), gt=0, le=1, title="Alert: daily loss",
        description="of a bot or of all, as a fraction of the equity at midnight; empty: none",
    )  # fmt: skip
    alert_drawdown: LimitAmount = Field(
        default=Decimal("0.10"), gt=0, le=1, title="Alert: drawdown",
        description="below the highest equity so far, as a fraction of it; empty: none",
    )  # fmt: skip
    alert_retention_days: int = Field(
        default=180, ge=1, le=3_650, title="Days alerts are kept",
        description="with the log of their deliveries",
    )  # fmt: skip

    @field_validator("alert_zone")
    @classmethod
    def _is_known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(f"'{zone}' is no time zone such as Europe/Berlin") from error
        return zone
