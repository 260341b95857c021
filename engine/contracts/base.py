"""The base of all messages of the API."""

from pydantic import BaseModel, ConfigDict


class Contract(BaseModel):
    """Base of all messages."""

    model_config = ConfigDict(frozen=True)
