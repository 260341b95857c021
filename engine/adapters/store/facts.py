"""What diagnostics ask of a database."""

from sqlalchemy import text

from engine.adapters.store.database import Database
from engine.ports.store import StoreFacts

REVISION = text("SELECT version_num FROM alembic_version")
POSTGRES_SIZE = text("SELECT pg_database_size(current_database()), version()")
SQLITE_SIZE = text(
    "SELECT page_count * page_size, sqlite_version() FROM pragma_page_count, pragma_page_size"
)


def read_facts(database: Database, *, is_deep: bool) -> StoreFacts:
    """As ``ports.StoreFacts`` says. Raises StoreError."""
    with database.reading() as session:
        size, words = session.rows(POSTGRES_SIZE if session.is_postgres else SQLITE_SIZE)[0]
        damage = ""
        if is_deep and not session.is_postgres:
            told = [str(row[0]) for row in session.rows(text("PRAGMA quick_check(5)"))]
            damage = "" if told == ["ok"] else "; ".join(told)
        return StoreFacts(
            product=f"PostgreSQL, {words}" if session.is_postgres else f"SQLite {words}",
            place=database.shown_url,
            size=int(size),
            revision=str(session.rows(REVISION)[0][0]),
            damage=damage,
        )
