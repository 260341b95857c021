"""Points to a server that takes InfluxDB's line protocol, by its own client.

Source: https://docs.influxdata.com/influxdb/v2/api/v2/#operation/PostWrite
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from engine.domain.measurements import SeriesPoint
from engine.errors import SinkError

if TYPE_CHECKING:
    from influxdb_client.client.write_api import WriteApi
    from influxdb_client.rest import ApiException

TIMEOUT_MS = 10_000
"""For connecting, and for each piece of an answer."""

NANOSECONDS: Any = "ns"  # the client's own type for it is a class of texts
LONGEST_REASON = 200
PARTIAL = "partial write"
"""What a server says that has stored the other points of a batch."""

TO_DO = {
    401: "set QUARTERDECK_INFLUX_TOKEN to a token that may write to the bucket",
    403: "give the token of QUARTERDECK_INFLUX_TOKEN write access to the bucket",
    404: "make the bucket, or name another one in QUARTERDECK_INFLUX_BUCKET and _ORG",
    413: "have the server take larger bodies",
    429: "it asks for a pause",
    503: "it is starting or overloaded",
}


class InfluxSink:
    """Implements ``SeriesSink``. Used by one thread at a time."""

    def __init__(
        self, url: str, org: str, bucket: str, token: str, timeout_ms: int = TIMEOUT_MS
    ) -> None:
        self._url = url
        self._org = org
        self._bucket = bucket
        self._token = token
        self._timeout_ms = timeout_ms
        self._api: WriteApi | None = None

    def write(self, points: Sequence[SeriesPoint]) -> int:
        """As ``SeriesSink`` says: 0, or 1 and more when the server stored a batch in part."""
        from influxdb_client.client.write.point import Point
        from influxdb_client.rest import ApiException
        from urllib3.exceptions import HTTPError

        record = [
            Point.from_dict(
                {"measurement": one.measurement, "tags": dict(one.tags),
                 "fields": dict(one.fields), "time": one.time_ns},
                NANOSECONDS,
            )
            for one in points
        ]  # fmt: skip
        try:
            self._writer().write(self._bucket, record=record, write_precision=NANOSECONDS)
        except ApiException as error:
            if error.status == 422 or PARTIAL in _reason(error):
                return _refused(error)
            raise self._translated(error) from error
        except (HTTPError, OSError) as error:
            raise SinkError(
                f"{self._url} cannot be reached ({type(error).__name__}): see that it runs, and "
                "that QUARTERDECK_INFLUX_URL is its address."
            ) from error
        return 0

    def close(self) -> None:
        """Close its connections."""
        if self._api is not None:
            self._client.close()

    def _writer(self) -> "WriteApi":
        if self._api is None:
            from influxdb_client.client.influxdb_client import InfluxDBClient
            from influxdb_client.client.write_api import SYNCHRONOUS

            self._client = InfluxDBClient(
                self._url, self._token, org=self._org, timeout=self._timeout_ms, enable_gzip=True
            )
            self._api = self._client.write_api(write_options=SYNCHRONOUS)
        return self._api

    def _translated(self, error: "ApiException") -> SinkError:
        said = _reason(error)
        if self._token:
            said = said.replace(self._token, "***")  # what is said is shown to people
        to_do = TO_DO.get(error.status or 0, "see the server's own log")
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        pause = str(headers.get("retry-after", ""))
        return SinkError(
            f"{self._url} answered {error.status} ({said}): {to_do}.",
            retry_after_s=float(pause) if pause.isdecimal() else 0.0,
        )


def _reason(error: "ApiException") -> str:
    """The server's own words, without anything that we have sent."""
    try:
        said = json.loads(error.body or "")
    except ValueError:
        said = None
    words = ""
    if isinstance(said, dict):
        words = str(said.get("message") or said.get("error") or said.get("code") or "")
    return (words or str(error.reason or "no reason given"))[:LONGEST_REASON]


def _refused(error: "ApiException") -> int:
    """How many points a partial write has left out: ``dropped=3`` at the end of its words."""
    count = _reason(error).rpartition("dropped=")[2].strip()
    return int(count) if count.isdecimal() and int(count) else 1
