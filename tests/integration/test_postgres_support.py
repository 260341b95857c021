"""The PostgreSQL that the tests run against is real, and fresh for each test."""

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from tests.support.postgres import PostgresServer


def test_each_database_is_fresh_and_is_dropped(postgres: PostgresServer) -> None:
    with postgres.fresh_database() as first, postgres.fresh_database() as second:
        with create_engine(first, poolclass=NullPool).begin() as connection:
            connection.execute(text("CREATE TABLE kept (amount numeric)"))
        with create_engine(second, poolclass=NullPool).connect() as connection:
            count = text("SELECT count(*) FROM information_schema.tables WHERE table_name='kept'")
            assert connection.scalar(count) == 0
    with create_engine(postgres.url(), poolclass=NullPool).connect() as connection:
        left = connection.scalars(text("SELECT datname FROM pg_database")).all()
    dropped = {make_url(first).database, make_url(second).database}
    assert not dropped & set(left)
