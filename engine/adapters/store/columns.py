"""What the tables are made of: their base class, the names of constraints, the kinds of columns."""

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table
from sqlmodel import Field, SQLModel

from engine.adapters.store.types import ExactDecimal, FiniteFloat, JsonText, PlainText, UtcTime

NAMES = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
}


class Row(SQLModel):
    """Base of all tables."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMES)


def table_of(row: type[Row]) -> Table:
    """The SQLAlchemy table behind a class."""
    return Row.metadata.tables[str(row.__tablename__)]


def text(**options: Any) -> Any:
    """Any text."""
    return Field(sa_type=PlainText, **options)


def amount(**options: Any) -> Any:
    """An exact amount."""
    return Field(sa_type=ExactDecimal, **options)


def moment(**options: Any) -> Any:
    """An aware time."""
    return Field(sa_type=UtcTime, **options)


def number() -> Any:
    """A finite float."""
    return Field(sa_type=FiniteFloat)


def json(**options: Any) -> Any:
    """Nested values."""
    return Field(sa_type=JsonText, **options)


def sequence() -> Any:
    """The primary key that counts rows as they are written."""
    kind = BigInteger().with_variant(Integer(), "sqlite")
    return Field(default=None, sa_column=Column(kind, primary_key=True, autoincrement=True))


def owning_bot(**options: Any) -> Any:
    """The bot that owns the row and takes it along when it is deleted."""
    return Field(sa_type=PlainText, foreign_key="bots.id", ondelete="CASCADE", **options)
