"""This machine, by psutil, the package metadata and a time server."""

import platform
import shutil
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from engine import __version__
from engine.errors import DataError
from engine.ports.machine import Room

NTP_TIMEOUT_S = 3
PACKAGES = (
    "streamlit", "plotly", "pandas", "numpy", "numba", "TA-Lib", "apscheduler", "fastapi",
    "uvicorn", "sqlmodel", "sqlalchemy", "alembic", "psycopg", "pydantic", "ccxt", "alpaca-py",
    "kiteconnect", "MetaTrader5", "google-generativeai", "twilio", "apprise", "influxdb-client",
    "optuna", "distributed", "cryptography", "keyring",
)  # fmt: skip


class LocalMachine:
    """``ports.Machine``. ``time_server`` is a host that speaks NTP, with a port where it is not
    123; empty: the clock is not compared."""

    def __init__(self, time_server: str) -> None:
        self._time_server = time_server

    def disk(self, folder: Path) -> Room:
        """Raises OSError."""
        usage = shutil.disk_usage(folder)
        return Room(usage.free, usage.total)

    def memory(self) -> Room:
        """What programs could still have."""
        memory = psutil.virtual_memory()
        return Room(memory.available, memory.total)

    def resident(self, pid: int) -> int | None:
        """None when it has ended."""
        try:
            return int(psutil.Process(pid).memory_info().rss)
        except psutil.NoSuchProcess:
            return None

    def clock_lead_s(self) -> float:
        """By NTP (RFC 5905), one question. Raises DataError."""
        import ntplib  # only looked at when somebody asks

        if not self._time_server:
            raise DataError("No time server is set (QUARTERDECK_TIME_SERVER).")
        host, _, port = self._time_server.partition(":")
        try:
            told = ntplib.NTPClient().request(
                host, version=4, port=int(port or 123), timeout=NTP_TIMEOUT_S
            )
        except (ntplib.NTPException, OSError) as error:
            raise DataError(f"The time server {host} does not answer ({error}).") from error
        return -float(told.offset)

    def versions(self) -> Mapping[str, str]:
        """Packages that are not installed are left out."""
        found = {
            "quarterdeck": __version__,
            "python": platform.python_version(),
            "system": platform.platform(),
        }
        for name in PACKAGES:
            try:
                found[name] = version(name)
            except PackageNotFoundError:
                continue  # as MetaTrader5 outside Windows
        return found
