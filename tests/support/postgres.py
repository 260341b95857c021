"""A real PostgreSQL server in a temporary folder, on loopback, gone at the end."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from tests.support.ports import free_port
from tooling.programs import find_postgres

SERVER_USER = "postgres"
GUARDED = "guarded"
"""A role, once somebody makes it, that has to give its password; all others are trusted."""
# Durability off: the server dies with the test, only its behaviour counts.
OPTIONS = "-h 127.0.0.1 -c fsync=off -c synchronous_commit=off -c full_page_writes=off"


@dataclass(frozen=True)
class PostgresServer:
    """A running server of its own."""

    port: int

    def url(self, database: str = "postgres") -> str:
        """The SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://{SERVER_USER}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def fresh_database(self) -> Iterator[str]:
        """The SQLAlchemy URL of a new, empty database, dropped afterwards."""
        name = f"test_{secrets.token_hex(6)}"
        self._execute("CREATE DATABASE {}", name)
        try:
            yield self.url(name)
        finally:
            self._execute("DROP DATABASE {} WITH (FORCE)", name)

    def copy_database(self, source: str, target: str) -> None:
        """Make the database of one URL, which is there, a copy of another one's."""
        name = database_of(target)
        self._execute("DROP DATABASE {} WITH (FORCE)", name)
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, database_of(source))

    def _execute(self, statement: str, *names: str) -> None:
        address = f"host=127.0.0.1 port={self.port} user={SERVER_USER} dbname=postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def database_of(url: str) -> str:
    """The name of a URL's database."""
    return url.rpartition("/")[2]


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start a server and stop it at the end.

    Raises RuntimeError when PostgreSQL is not installed, CalledProcessError when it fails.
    """
    binaries = find_postgres()
    if binaries is None:
        raise RuntimeError("PostgreSQL is not installed; `python run.py test` installs it")
    folder = Path(tempfile.mkdtemp(prefix="quarterdeck_pg_"))
    # PostgreSQL refuses to run as root, so root's tests lend it the package's own user.
    owner = SERVER_USER if hasattr(os, "geteuid") and os.geteuid() == 0 else None
    if owner is not None:
        shutil.chown(folder, user=owner)
    data, port = folder / "data", free_port()

    def call(program: str, *arguments: str) -> None:
        # Output goes to a file: a pipe would stay open for as long as the server lives.
        with (folder / "output.log").open("ab") as output:
            subprocess.run(
                [binaries / program, "-D", data, *arguments], cwd=folder, user=owner,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=True, timeout=90,
            )  # fmt: skip

    try:
        call("initdb", "-U", SERVER_USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        rules = data / "pg_hba.conf"
        rules.write_text(
            f"host all {GUARDED} 127.0.0.1/32 scram-sha-256\n{rules.read_text('utf-8')}", "utf-8"
        )
        options = f'{OPTIONS} -p {port} -k "{folder}"'
        call("pg_ctl", "-w", "-t", "60", "-l", str(folder / "server.log"), "-o", options, "start")
        try:
            yield PostgresServer(port)
        finally:
            call("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
