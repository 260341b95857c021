"""A database is brought up to date when it is opened, or it is said in one sentence why not."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from engine.adapters.store.columns import Row
from engine.adapters.store.store import SqlStore
from engine.errors import ConfigError
from tests.contract.store_samples import trade


def test_the_migrated_tables_are_those_the_program_knows(store: SqlStore) -> None:
    with store.database.reading() as session:
        context = MigrationContext.configure(
            session.connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, Row.metadata) == []


def test_opening_again_keeps_what_is_there(
    store: SqlStore, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.transaction() as tx:
        tx.trades.add(trade())
    store.close()
    monkeypatch.chdir(tmp_path)
    again = SqlStore.open(store_url)
    with again.reading() as tx:
        assert tx.trades.select() == [trade()]
    again.close()


def test_several_may_open_a_fresh_database_at_once(store_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(SqlStore.open, [store_url] * 4))
    for number, store in enumerate(stores):
        with store.transaction() as tx:
            tx.trades.add(trade(id=str(number)))
    with stores[0].reading() as tx:
        assert tx.trades.count() == 4
    for store in stores:
        store.close()


def test_a_database_of_a_newer_version_is_left_alone(store: SqlStore, store_url: str) -> None:
    with store.database.writing() as session:
        session.change(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match=r"written by a newer version.*9999"):
        SqlStore.open(store_url)
    with store.database.reading() as session:
        assert session.rows(text("SELECT version_num FROM alembic_version")) == [("9999",)]


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    file.write_bytes(b"this is not a database, it is a letter" * 100)
    with pytest.raises(ConfigError, match=r"state\.db cannot be opened.*damaged or is not a data"):
        SqlStore.open(f"sqlite:///{file}")
    assert file.read_bytes().startswith(b"this is not a database")


def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    store = SqlStore.open(f"sqlite:///{file}")
    store.close()
    content = bytearray(file.read_bytes())
    content[100:4096] = b"\xff" * 3996
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="damaged"):
        SqlStore.open(f"sqlite:///{file}")


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match=r"file/data' cannot be made: Not a directory\."):
        SqlStore.open(f"sqlite:///{tmp_path / 'file' / 'data' / 'state.db'}")


def test_a_folder_in_the_file_s_place_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "state.db").mkdir()
    with pytest.raises(ConfigError, match=r"cannot be opened.*cannot be written"):
        SqlStore.open(f"sqlite:///{tmp_path / 'state.db'}")


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://root:secret@localhost/x", "neither a SQLite file nor a PostgreSQL"),
        ("sqlite://", "neither a SQLite file nor a PostgreSQL"),
        ("sqlite:///:memory:", "neither a SQLite file nor a PostgreSQL"),
        ("not a url: secret", "cannot be read"),
        ("", "cannot be read"),
        ("postgresql://user:secret@127.0.0.1:1/x", "does not answer"),
    ],
)
def test_an_address_that_leads_nowhere_is_one_sentence(url: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as raised:
        SqlStore.open(url)
    assert "secret" not in str(raised.value)


def test_a_postgres_database_that_does_not_exist_is_one_sentence(postgres_url: str) -> None:
    with pytest.raises(ConfigError, match=r"_nowhere\" does not exist\.$"):
        SqlStore.open(postgres_url + "_nowhere")
