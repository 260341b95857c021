"""Bring a database's tables up to date. Two processes that start at once do it one by one."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import SQLAlchemyError

from engine.adapters.store.database import Database
from engine.adapters.store.failures import NOTHING_WRITTEN, translated
from engine.errors import ConfigError, StoreError

FOLDER = Path(__file__).resolve().parent / "migrations"


def migrate(database: Database) -> None:
    """Run the migrations that are missing, in one transaction: all of them or none.

    Raises ConfigError when the database cannot be used or was written by a newer version; then it
    is closed.
    """
    try:
        database.make_folder()
        with database.writing(is_fenced=False) as session:
            config = Config()
            # ConfigParser takes % for its own.
            config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
            config.attributes["connection"] = session.connection
            _refuse_newer(MigrationContext.configure(session.connection))
            command.upgrade(config, "head")
    except ConfigError:
        database.close()
        raise
    except (StoreError, SQLAlchemyError) as error:
        database.close()
        problem = translated(error) if isinstance(error, SQLAlchemyError) else error
        raise ConfigError(
            f"The database {database.shown_url} cannot be opened."
            f" {str(problem).removesuffix(NOTHING_WRITTEN)}",
            field="database_url",
        ) from error


def known_revisions() -> frozenset[str]:
    """The revisions of the tables that this version knows, which is every one up to its own."""
    scripts = ScriptDirectory(str(FOLDER))
    return frozenset(script.revision for script in scripts.walk_revisions())


def _refuse_newer(context: MigrationContext) -> None:
    unknown = set(context.get_current_heads()) - known_revisions()
    if unknown:
        raise ConfigError(
            f"The database was written by a newer version of Quarterdeck ({', '.join(unknown)})."
            " Update Quarterdeck, or use another data folder.",
            field="database_url",
        )
