"""Brings the programs that the tests need beside Python, as far as it can be done unasked."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tooling.environment import Environment
from tooling.place import ROOT, StartError, say
from tooling.programs import (
    MONITORING,
    UNPACKED,
    find_browser,
    find_postgres,
    find_program,
)

POSTGRES_NEEDED = (
    "The tests need PostgreSQL's server programs; install PostgreSQL "
    "(https://www.postgresql.org/download/) and run again."
)
MONITORING_NEEDED = (
    "The tests need Prometheus (prometheus, promtool) and InfluxDB 1 (influxd) on the path; install"
    " them (https://prometheus.io/download, https://docs.influxdata.com/influxdb/v1) and run again."
)
SYSTEMD_NEEDED = (
    "The tests of deploy/systemd need systemd-analyze: install the package systemd (on"
    " Debian or Ubuntu: apt-get install systemd) and run again."
)
BROWSER_NEEDED = "The browser tests need Chromium or Chrome; install one and run again."
SYSTEMD_ANALYZE = "systemd-analyze"


def prepare_servers() -> None:
    """Install or unpack the servers and tools that are missing, and a browser where apt can.

    Raises StartError for the first that is still missing, but for the browser.
    """
    is_linux = sys.platform.startswith("linux")
    lacks_systemd = is_linux and shutil.which(SYSTEMD_ANALYZE) is None
    missing = [
        *(["postgresql"] if find_postgres() is None else []),
        *(["systemd"] if lacks_systemd else []),
        *(["chromium", "fonts-liberation"] if find_browser() is None else []),
    ]
    unpacked = sorted({package for name, package in MONITORING.items() if not find_program(name)})
    if (missing or unpacked) and is_root():
        run_apt("update")
    install_debian_packages(*missing)
    unpack_debian_packages(*unpacked)
    if find_postgres() is None:
        raise StartError(POSTGRES_NEEDED)
    if is_linux and shutil.which(SYSTEMD_ANALYZE) is None:
        raise StartError(SYSTEMD_NEEDED)
    if not all(map(find_program, MONITORING)):
        raise StartError(MONITORING_NEEDED)


def prepare_browser(environment: Environment) -> None:
    """Download a Chromium when there is none. Raises StartError."""
    if find_browser() is not None:
        return
    say("Installing a browser for the tests ...")
    command = [environment.python, "-m", "playwright", "install", "chromium"]
    if subprocess.call(command, cwd=ROOT) != 0:
        raise StartError(BROWSER_NEEDED)


def is_root() -> bool:
    """Whether apt may install without asking."""
    return sys.platform.startswith("linux") and os.geteuid() == 0


def install_debian_packages(*names: str) -> None:
    """Install with apt where that can be done without asking; otherwise do nothing."""
    if names and is_root():
        say(f"Installing {', '.join(names)} with apt-get ...")
        run_apt("install", "-y", "--no-install-recommends", *names)


def unpack_debian_packages(*names: str) -> None:
    """Download with apt and unpack beside the project; where there is no apt, do nothing.

    Not installed: no service of theirs starts, and nobody need be root.
    """
    dpkg = shutil.which("dpkg-deb")
    if not names or dpkg is None:
        return
    say(f"Unpacking {', '.join(names)} from Debian's packages ...")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)  # apt downloads as a user of its own
        run_apt("download", *names, folder=folder)
        UNPACKED.mkdir(parents=True, exist_ok=True)
        for package in sorted(Path(folder).glob("*.deb")):
            subprocess.run([dpkg, "-x", str(package), str(UNPACKED)], check=True)


def run_apt(*arguments: str, folder: str | None = None) -> None:
    """Run apt-get, where there is one, in a folder, and say what went wrong."""
    apt = shutil.which("apt-get")
    if apt is None:
        return
    done = subprocess.run(
        [apt, "-qq", *arguments], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
    )  # fmt: skip
    if done.returncode != 0:
        say(done.stderr.strip())
