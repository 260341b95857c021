"""Finds the programs the tests need beside Python: a Chromium, PostgreSQL, Prometheus, InfluxDB."""

import os
import shutil
from pathlib import Path

from tooling.place import ROOT

BROWSER_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
BROWSER_PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "C:/Program Files/Google/Chrome/Application/chrome.exe",
    "C:/Program Files (x86)/Google/Chrome/Application/chrome.exe",
)
POSTGRES_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "C:/Program Files/PostgreSQL/*/bin",
)
UNPACKED = ROOT / ".programs"
"""Where packages are unpacked that need not be installed: their services would start."""

MONITORING = {"prometheus": "prometheus", "promtool": "prometheus", "influxd": "influxdb"}
"""Programs that the tests of monitoring run, each with its Debian package."""


def find_browser() -> Path | None:
    """The Chromium or Chrome of this machine; ``QUARTERDECK_BROWSER`` overrules the search."""
    named = os.environ.get("QUARTERDECK_BROWSER")
    if named:
        return Path(named)
    found = next(filter(None, map(shutil.which, BROWSER_NAMES)), None)
    if found:
        return Path(found)
    return next((Path(place) for place in BROWSER_PLACES if Path(place).exists()), None)


def find_postgres() -> Path | None:
    """The folder that holds PostgreSQL's ``initdb`` and ``pg_ctl``, the newest one found."""
    suffix = ".exe" if os.name == "nt" else ""
    for place in POSTGRES_PLACES:
        pattern = Path(place)
        folders = Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor)))
        complete = [
            folder
            for folder in folders
            if (folder / f"initdb{suffix}").exists() and (folder / f"pg_ctl{suffix}").exists()
        ]
        if complete:
            return max(complete, key=_version)
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found and shutil.which("pg_ctl") else None


def find_program(name: str) -> Path | None:
    """A program on the path, or one that was unpacked for the tests."""
    found = shutil.which(name) or shutil.which(name, path=str(UNPACKED / "usr" / "bin"))
    return Path(found) if found else None


def _version(folder: Path) -> int:
    """The major version in a path such as /usr/lib/postgresql/15/bin; 0 without a number."""
    digits = "".join(character for character in folder.parent.name if character.isdigit())
    return int(digits or 0)
