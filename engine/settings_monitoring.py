"""Settings of what watches the engine from outside: time series and metrics."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings


class MonitoringSettings(BaseSettings):
    """A part of ``engine.settings.Settings``."""

    # --- time series
    influx_url: str = Field(
        default="", max_length=300,
        pattern=r"^((https://[\w.-]+|http://(127\.0\.0\.1|localhost|influxdb))(:\d+)?)?$",
        title="InfluxDB: address",
        description="of a server that takes InfluxDB's line protocol, as http://127.0.0.1:8086; "
        "empty: nothing is sent",
    )  # fmt: skip
    influx_org: str = Field(default="quarterdeck", max_length=100, title="InfluxDB: organisation")
    influx_bucket: str = Field(default="quarterdeck", max_length=100, title="InfluxDB: bucket")
    influx_token: SecretStr | None = Field(
        default=None, title="InfluxDB: token", description="that may write to the bucket"
    )
    influx_every_s: int = Field(
        default=10, ge=1, le=3_600, title="InfluxDB: send every", description="seconds"
    )
    # --- metrics
    metrics_enabled: bool = Field(
        default=False, title="Metrics for Prometheus",
        description="at /metrics, for a token that may read",
    )  # fmt: skip
