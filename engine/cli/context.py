"""What every command works with: the settings, the engine, the printer."""

from functools import cached_property
from typing import cast

import typer

from engine.cli.client import EngineClient
from engine.cli.failures import BadInput
from engine.cli.output import Printer
from engine.errors import ConfigError
from engine.settings import Settings, load_settings


class Desk:
    """Passed to commands as ``ctx.obj``."""

    def __init__(self, is_json: bool) -> None:
        self.printer = Printer(is_json)

    @cached_property
    def settings(self) -> Settings:
        """Raises BadInput naming the variable that is wrong."""
        try:
            return load_settings()
        except ConfigError as error:
            raise BadInput(error.message, error.code) from error

    @cached_property
    def engine(self) -> EngineClient:
        """The engine of the data folder in force."""
        return EngineClient(self.settings)

    def close(self) -> None:
        """Close what was opened."""
        if "engine" in self.__dict__:
            self.engine.close()


def desk_of(ctx: typer.Context) -> Desk:
    """The desk of this run."""
    return cast(Desk, ctx.obj)
