"""Settings of those who watch the engine."""

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from engine.settings_outside import VENDOR_PAGE


class WatchSettings(BaseSettings):
    """A part of ``engine.settings.Settings``."""

    deadman_url: SecretStr | None = Field(
        default=None, title="Dead-man ping: address",
        description="asked while the engine is well, as of healthchecks.io or Uptime Kuma, which "
        "tells you when it is asked no more; who knows the address can keep it quiet",
    )  # fmt: skip
    deadman_every_s: int = Field(
        default=60, ge=10, le=3_600, title="Dead-man ping every", description="seconds"
    )
    watcher_patience_s: int = Field(
        default=60, ge=1, le=3_600, title="Watcher: patience",
        description="seconds without an answer of the engine before it is told that it is down",
    )  # fmt: skip
    watcher_again_h: int = Field(
        default=6, ge=1, le=168, title="Watcher: tells again after",
        description="hours, while the engine stays down",
    )  # fmt: skip

    @field_validator("deadman_url")
    @classmethod
    def _is_an_address(cls, url: SecretStr | None) -> SecretStr | None:
        if url is None or not url.get_secret_value().strip():
            return None
        if not VENDOR_PAGE.fullmatch(url.get_secret_value().strip()):
            raise ValueError("it is no address such as https://hc-ping.com/... (https, or http on "
                             "this machine)")  # fmt: skip
        return url
