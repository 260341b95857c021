"""``ports.DatabaseCopies`` of a PostgreSQL database, by PostgreSQL's own programs."""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import inspect, text
from sqlalchemy.engine import URL

from engine.adapters.store.copy_checks import FREE_LEASE, lease_holder, refuse_newer
from engine.adapters.store.copy_facts import read_facts
from engine.adapters.store.database import Database
from engine.domain.backups import DatabaseFacts, DatabaseKind
from engine.errors import BackupError, StoreError

BUSY_S = 10.0
LOOK_S = 0.5
"""How often a long dump is asked whether it is still wanted."""

SCHEMA = "public"


class PostgresCopies:
    """Copies of one database. Passwords go to the programs by their environment, never by a
    command line, which others on the machine may read."""

    kind: DatabaseKind = "postgresql"
    member = "state.pgdump"

    def __init__(self, url: URL) -> None:
        self._url = url

    def take(self, target: Path, go_on: Callable[[], None] = lambda: None) -> DatabaseFacts:
        """A snapshot that is counted here and dumped by ``pg_dump``: both see the same moment."""
        database = self._database()
        try:
            with database.reading() as session:
                snapshot = session.rows(text("SELECT pg_export_snapshot()"))[0][0]
                self._run(
                    "pg_dump", "--format=custom", "--no-owner", "--no-privileges",
                    f"--schema={SCHEMA}", f"--snapshot={snapshot}", f"--file={target}",
                    f"--dbname={self._address}", go_on=go_on,
                )  # fmt: skip
                return read_facts(session)
        except StoreError as error:
            raise BackupError(f"The database cannot be copied: {error}") from error
        finally:
            database.close()

    def examine(self, copy: Path, promised: DatabaseFacts) -> None:
        """Every table's data is unpacked; it is counted only by being restored."""
        refuse_newer(promised.revision)
        self._run("pg_restore", f"--file={os.devnull}", str(copy))
        listed = self._run("pg_restore", "--list", str(copy))
        missing = [one for one in promised.counts if f"TABLE DATA {SCHEMA} {one} " not in listed]
        if missing:
            raise BackupError(f"The backup's database has no data of {', '.join(missing)}.")

    def files(self) -> Sequence[Path]:
        """None: a server has it."""
        return ()

    def holder(self, now: datetime) -> str:
        """As ``ports.DatabaseCopies`` says."""
        if self.is_empty():
            return ""
        database = self._database()
        try:
            with database.reading() as session:
                return lease_holder(session, now)
        except StoreError as error:
            raise BackupError(f"The database cannot be read: {error}") from error
        finally:
            database.close()

    def is_empty(self) -> bool:
        """As ``ports.DatabaseCopies`` says."""
        database = self._database()
        try:
            with database.reading() as session:
                return not inspect(session.connection).get_table_names(SCHEMA)
        except StoreError as error:
            raise BackupError(f"The database cannot be read: {error}") from error
        finally:
            database.close()

    def prepare(self, copy: Path) -> None:
        """It is freed as it is put back."""

    def put(self, copy: Path, aside: str) -> None:
        """In one transaction: what there was becomes the schema ``aside``."""
        script = copy.with_suffix(".sql")
        self._run(
            "pg_restore", "--no-owner", "--no-privileges", f"--schema={SCHEMA}",
            f"--file={script}", str(copy),
        )  # fmt: skip
        first = copy.with_suffix(".first.sql")
        last = copy.with_suffix(".last.sql")
        first.write_text(f'ALTER SCHEMA {SCHEMA} RENAME TO "{aside}"; CREATE SCHEMA {SCHEMA};\n')
        last.write_text(FREE_LEASE.replace("leases", f"{SCHEMA}.leases", 1) + ";\n")
        self._run(
            "psql", "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1",
            f"--dbname={self._address}", *(f"--file={one}" for one in (first, script, last)),
        )  # fmt: skip

    def _database(self) -> Database:
        return Database(self._url.render_as_string(hide_password=False), BUSY_S)

    @property
    def _address(self) -> str:
        """Without the password."""
        bare = URL.create(
            "postgresql", self._url.username, None, self._url.host, self._url.port,
            self._url.database, self._url.query,
        )  # fmt: skip
        return bare.render_as_string(hide_password=False)

    def _run(self, program: str, *arguments: str, go_on: Callable[[], None] = lambda: None) -> str:
        """What it prints. Raises BackupError with its own first words; it is killed when ``go_on``
        raises."""
        found = shutil.which(program)
        if found is None:
            raise BackupError(
                f"A PostgreSQL database is backed up and restored by '{program}', which is not on"
                " this machine: install PostgreSQL's client programs of the server's version (on"
                " Debian or Ubuntu the package postgresql-client)."
            )
        environment = dict(os.environ)
        if self._url.password is not None:
            environment["PGPASSWORD"] = str(self._url.password)
        with subprocess.Popen(
            [found, *arguments], env=environment, stdin=subprocess.DEVNULL, text=True,
            errors="replace", stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        ) as process:  # fmt: skip
            output, said = _followed(process, go_on)
        if process.returncode:
            words = said.strip().splitlines() or ["no reason given"]
            raise BackupError(f"'{program}' failed: {words[0]}")
        return output


def _followed(process: subprocess.Popen[str], go_on: Callable[[], None]) -> tuple[str, str]:
    """What it prints until it ends; killed when ``go_on`` raises."""
    while True:
        try:
            go_on()
            return process.communicate(timeout=LOOK_S)
        except subprocess.TimeoutExpired:
            continue
        except BaseException:
            process.kill()
            raise
