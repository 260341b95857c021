"""JSON schema to fields of a form."""

from enum import StrEnum

from pydantic import BaseModel, Field

from panel.forms import field_specs, initial_value


class Mode(StrEnum):
    """A choice."""

    FAST = "fast"
    SLOW = "slow"


class Params(BaseModel):
    """Parameters of every kind."""

    period: int = Field(14, ge=2, le=200, title="Period", json_schema_extra={"unit": "candles"})
    width: float = Field(2.0, gt=0, description="standard deviations")
    is_strict: bool = False
    mode: Mode = Mode.SLOW
    cap: int | None = Field(None, ge=1)
    magic: int = Field(7, gt=0, lt=2**63, title="Magic number")
    note: str = ""


SPECS = {spec.name: spec for spec in field_specs(Params.model_json_schema())}


def test_fields_keep_the_order_and_the_kind_of_the_schema() -> None:
    assert [(spec.name, spec.kind) for spec in SPECS.values()] == [
        ("period", "integer"), ("width", "number"), ("is_strict", "boolean"), ("mode", "choice"),
        ("cap", "integer"), ("magic", "integer"), ("note", "text"),
    ]  # fmt: skip


def test_labels_name_unit_and_bounds() -> None:
    assert SPECS["period"].label == "Period, candles (2 to 200)"
    assert SPECS["width"].minimum == 0
    assert SPECS["mode"].choices == ("fast", "slow")
    assert SPECS["cap"].minimum == 1
    assert SPECS["magic"].label == "Magic number"  # up to 9.22337e+18 is nobody's choice


def test_a_value_that_does_not_fit_its_widget_becomes_the_default() -> None:
    assert initial_value(SPECS["period"], 7) == 7
    assert initial_value(SPECS["period"], "seven") == 14
    assert initial_value(SPECS["width"], 3) == 3.0
    assert initial_value(SPECS["mode"], "gone") == "fast"
    assert initial_value(SPECS["is_strict"], None) is False
