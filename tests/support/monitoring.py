"""Real servers of monitoring, from Debian's packages, in temporary folders and on loopback."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.client import NO_TLS, eventually
from tests.support.ports import free_port
from tooling.programs import find_program

INFLUX_CONFIG = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc_port}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[monitor]
  store-enabled = false
"""


@dataclass(frozen=True)
class InfluxServer:
    """A running InfluxDB 1 with one database."""

    url: str
    database: str

    @property
    def write_url(self) -> str:
        """Where line protocol is taken."""
        return f"{self.url}/write?db={self.database}"

    def rows(self, query: str) -> list[dict[str, Any]]:
        """All rows of an InfluxQL query, times in nanoseconds; a series' tags with its rows."""
        answer = httpx.get(
            f"{self.url}/query", params={"db": self.database, "epoch": "ns", "q": query},
            trust_env=False,
        )  # fmt: skip
        [result] = answer.raise_for_status().json()["results"]
        return [
            dict(zip(series["columns"], values, strict=True)) | series.get("tags", {})
            for series in result.get("series", [])
            for values in series["values"]
        ]


@contextmanager
def influx_server(folder: Path) -> Iterator[InfluxServer]:
    """Start one and stop it at the end. Raises RuntimeError when it is not installed."""
    port = free_port()
    config = folder / "influxdb.conf"
    config.write_text(
        INFLUX_CONFIG.format(folder=folder, port=port, rpc_port=free_port()), encoding="utf-8"
    )
    url = f"http://127.0.0.1:{port}"
    with _running("influxd", "-config", str(config), log=folder / "influxd.log"):
        eventually(lambda: _status(f"{url}/ping"), lambda status: status == 204)
        server = InfluxServer(url, "quarterdeck")
        create = {"q": f"CREATE DATABASE {server.database}"}
        httpx.post(f"{url}/query", data=create, trust_env=False).raise_for_status()
        yield server


@dataclass(frozen=True)
class PrometheusServer:
    """A running Prometheus."""

    url: str

    def values(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each series of an expression now."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression},
                           trust_env=False)  # fmt: skip
        found = answer.raise_for_status().json()["data"]["result"]
        return [(one["metric"], float(one["value"][1])) for one in found]

    def target(self) -> dict[str, Any]:
        """What it says of its one target."""
        answer = httpx.get(f"{self.url}/api/v1/targets", trust_env=False).raise_for_status()
        targets: list[dict[str, Any]] = answer.json()["data"]["activeTargets"]
        return targets[0]


@contextmanager
def prometheus_server(config: Path, folder: Path) -> Iterator[PrometheusServer]:
    """Start one on a configuration and stop it at the end. Raises RuntimeError when it is not
    installed."""
    address = f"127.0.0.1:{free_port()}"
    with _running(
        "prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}", "--web.console.templates=/nonexistent",
        "--web.console.libraries=/nonexistent", log=folder / "prometheus.log",
    ):  # fmt: skip
        eventually(lambda: _status(f"http://{address}/-/ready"), lambda status: status == 200)
        yield PrometheusServer(f"http://{address}")


def promtool(*arguments: str, given: str = "") -> str:
    """What promtool says. Raises AssertionError when it is not content."""
    done = subprocess.run(
        [_program("promtool"), *arguments], input=given, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


@contextmanager
def _running(name: str, *arguments: str, log: Path) -> Iterator[None]:
    with (
        log.open("wb") as output,
        subprocess.Popen([_program(name), *arguments], stdout=output, stderr=output) as process,
    ):
        try:
            yield
        finally:
            process.kill()


def _program(name: str) -> Path:
    found = find_program(name)
    if found is None:
        raise RuntimeError(f"{name} is not installed; `python run.py test` unpacks it")
    return found


def _status(url: str) -> int:
    try:
        return httpx.get(url, trust_env=False, verify=NO_TLS).status_code
    except httpx.TransportError:
        return 0


def load_json(path: Path) -> dict[str, Any]:
    """A JSON file."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
