"""The store's databases: each test of the store runs on SQLite and on a real PostgreSQL."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from engine.adapters.store.store import SqlStore
from engine.ports import Store
from tests.fakes.clock import FakeClock
from tests.fakes.memory_store import MemoryStore
from tests.support.postgres import PostgresServer

SQLITE_FILE = "state.db"


@pytest.fixture(scope="session")
def emptied_database(postgres: PostgresServer) -> Iterator[str]:
    """One PostgreSQL database for all tests of the store: emptying it beats making another."""
    with postgres.fresh_database() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder whose SQLite database has its tables: copying it beats migrating another."""
    folder = tmp_path_factory.mktemp("migrated") / "data"
    SqlStore.open(f"sqlite:///{folder / SQLITE_FILE}").close()
    assert [one.name for one in folder.iterdir()] == [SQLITE_FILE], "all of it is in one file"
    return folder


@pytest.fixture(scope="session")
def migrated_database(postgres: PostgresServer) -> Iterator[str]:
    """A PostgreSQL database that has its tables."""
    with postgres.fresh_database() as url:
        SqlStore.open(url).close()
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    return url_of_empty(request, tmp_path)


def url_of_empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of the kind that the fixture's parameter says."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'data' / SQLITE_FILE}"
    url: str = request.getfixturevalue("emptied_database")
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return url


def furnished(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> str:
    """The URL that ``store_url`` has, with the tables there, and nothing in them."""
    if kind == "sqlite":
        shutil.copytree(request.getfixturevalue("migrated_folder"), tmp_path / "data")
        return f"sqlite:///{tmp_path / 'data' / SQLITE_FILE}"
    url: str = request.getfixturevalue("emptied_database")
    server: PostgresServer = request.getfixturevalue("postgres")
    server.copy_database(request.getfixturevalue("migrated_database"), url)
    return url


@pytest.fixture
def clock() -> FakeClock:
    """The time by which leases end."""
    return FakeClock()


@pytest.fixture
def store(
    request: pytest.FixtureRequest, store_url: str, tmp_path: Path, clock: FakeClock
) -> Iterator[SqlStore]:
    """An open store over ``store_url``."""
    url = furnished(request, store_url.partition(":")[0], tmp_path)
    assert url == store_url
    opened = SqlStore.open(url, now=clock.now)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgres", "memory"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Store]:
    """An open store of any kind, the one in memory that stands in for it too."""
    opened: Store = (
        MemoryStore(clock.now)
        if request.param == "memory"
        else SqlStore.open(furnished(request, request.param, tmp_path), now=clock.now)
    )
    yield opened
    opened.close()
