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


@pytest.fixture(scope="session")
def emptied_database(postgres: PostgresServer) -> Iterator[str]:
    """One PostgreSQL database for all tests of the store: emptying it beats making another."""
    with postgres.fresh_database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    return url_of_empty(request, tmp_path)


def url_of_empty(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of the kind that the fixture's parameter says."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'data' / 'state.db'}"
    url: str = request.getfixturevalue("emptied_database")
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return url


@pytest.fixture
def clock() -> FakeClock:
    """The time by which leases end."""
    return FakeClock()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with every table and no row: copying it takes a seventh of making another."""
    file = tmp_path_factory.mktemp("migrated") / "state.db"
    SqlStore.open(f"sqlite:///{file}").close()
    return file


def open_new(url: str, migrated_file: Path, clock: FakeClock) -> SqlStore:
    """A store over an empty database."""
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite:///"))
        file.parent.mkdir()
        shutil.copyfile(migrated_file, file)
    return SqlStore.open(url, now=clock.now)


@pytest.fixture
def store(store_url: str, migrated_file: Path, clock: FakeClock) -> Iterator[SqlStore]:
    """An open store over ``store_url``."""
    opened = open_new(store_url, migrated_file, clock)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgres", "memory"])
def any_store(
    request: pytest.FixtureRequest, tmp_path: Path, migrated_file: Path, clock: FakeClock
) -> Iterator[Store]:
    """An open store of any kind, the one in memory that stands in for it too."""
    opened: Store = (
        MemoryStore(clock.now)
        if request.param == "memory"
        else open_new(url_of_empty(request, tmp_path), migrated_file, clock)
    )
    yield opened
    opened.close()
