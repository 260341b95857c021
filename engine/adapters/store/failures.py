"""What the database said, as the error the engine acts on, in one sentence for a person."""

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from engine.errors import Conflict, NotFound, StoreError

NOTHING_WRITTEN = " Nothing was written."

BUSY = "The database is busy with another program."
FULL = "The disk is full; free some space."
READ_ONLY = "The database cannot be written; check that its folder is not read-only and is yours."
DAMAGED = "The file is damaged or is not a database; stop the engine and put a backup in its place."

# SQLite's error names and PostgreSQL's SQLSTATEs, by how they begin.
SENTENCES: tuple[tuple[str, str], ...] = (
    ("SQLITE_BUSY", BUSY),
    ("SQLITE_LOCKED", BUSY),
    ("SQLITE_FULL", FULL),
    ("SQLITE_READONLY", READ_ONLY),
    ("SQLITE_CANTOPEN", READ_ONLY),
    ("SQLITE_PERM", READ_ONLY),
    ("SQLITE_CORRUPT", DAMAGED),
    ("SQLITE_NOTADB", DAMAGED),
    ("SQLITE_IOERR", "The disk failed to read or write; check it."),
    ("40", BUSY),
    ("55P03", BUSY),
    ("57014", BUSY),
    ("53100", FULL),
    ("25006", READ_ONLY),
    ("42501", READ_ONLY),
    ("28", "The database refused the login; check the user and password of its URL."),
    ("XX001", DAMAGED),
)

ORDER_TAKEN = "An order of this client id is in the books already."
# Unique constraints, by what stands out in their name.
TAKEN: tuple[tuple[str, str, str | None], ...] = (
    ("name_key", "There is already a bot of this name.", "name"),
    ("candle_time", "This candle was decided before.", None),
    ("trade_id", "This fill is in the books already.", None),
    ("client_id", ORDER_TAKEN, None),
    ("pk_orders", ORDER_TAKEN, None),
    ("version", "This version of the settings exists already.", None),
)


def translated(error: SQLAlchemyError) -> Exception:
    """The error to raise instead, ``from error``.

    A value that a column type refused comes back as the type's own TypeError or ValueError: that
    is a mistake in the program, not in the database.
    """
    if isinstance(error, IntegrityError):
        return _integrity(error)
    if isinstance(error, DBAPIError):
        return StoreError(_problem(error) + NOTHING_WRITTEN)
    if isinstance(error, PoolTimeout):
        return StoreError(BUSY + NOTHING_WRITTEN)
    if isinstance(error, StatementError) and isinstance(error.orig, TypeError | ValueError):
        return error.orig
    return StoreError(f"The database refused: {error}." + NOTHING_WRITTEN)


def _code(error: DBAPIError) -> str:
    code = getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None)
    return str(code or "")


def _problem(error: DBAPIError) -> str:
    code = _code(error)
    for beginning, sentence in SENTENCES:
        if code.startswith(beginning):
            return sentence
    said = str(error.orig).strip().partition("\n")[0].rstrip(".")
    if error.connection_invalidated or not code:
        return f"The database does not answer: {said}."
    return f"The database refused ({code}): {said}."


def _integrity(error: IntegrityError) -> Exception:
    code = _code(error)
    if code in ("SQLITE_CONSTRAINT_FOREIGNKEY", "23503"):
        return NotFound("The bot this belongs to was deleted.", field="bot")
    if code in ("SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "23505"):
        constraint = _constraint(error)
        for column, sentence, field in TAKEN:
            if column in constraint:
                return Conflict(sentence, field=field)
        return Conflict(f"It exists already ({constraint}).")
    return StoreError(_problem(error) + NOTHING_WRITTEN)


def _constraint(error: IntegrityError) -> str:
    """Names of the constraint or its columns; never the values."""
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is not None:
        return str(diagnosis.constraint_name)
    return str(error.orig).removeprefix("UNIQUE constraint failed: ")
