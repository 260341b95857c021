"""What a person asked for cannot be done so; for a service to tell."""


class Unfit(ValueError):
    """``message`` is meant for a person; ``field`` names the input that is wrong."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
