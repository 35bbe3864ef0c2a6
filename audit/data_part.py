"""``[data]`` of ``audit.toml``: the cases, their target, and what is stated of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from audit.toml_files import Form
from classifier.schema import Encoding


class RelationPart(Form):
    """``[[data.relations]]``: a linear relation that every valid row keeps."""

    weights: dict[str, float]
    sense: Literal["<=", "=="]
    value: float


class SeriesPart(Form):
    """``series``: of a table with a row for each step, the columns that tell the series and the time."""

    id: str
    time: str


class DataPart(Form):
    """``[data]``: the cases, their target, and what they are."""

    path: str
    modality: Literal["tabular", "image", "text", "sequence", "graph"] = "tabular"
    size: tuple[int, ...] = ()
    encoding: Encoding | None = None
    schema_path: Annotated[str | None, Field(alias="schema")] = None
    series: SeriesPart | None = None
    tokenizer: str | None = None
    test_path: str | None = None
    validation_path: str | None = None
    group: str | None = None
    time: str | None = None
    target: str
    event: str | None = None
    protected: tuple[str, ...] = ()
    protected_inputs: dict[str, str] = {}
    drop: tuple[str, ...] = ()
    immutable: tuple[str, ...] = ()
    cuts: dict[str, tuple[float, ...]] = {}
    features: dict[str, dict[str, Any]] = {}
    relations: tuple[RelationPart, ...] = ()
    test_share: float = 0.25
    validation_share: float = 0.15

    @model_validator(mode="after")
    def _consistent(self) -> DataPart:
        if self.validation_path and not self.test_path:
            raise ValueError("has validation_path, which needs test_path too")
        if self.series and self.modality != "sequence":
            raise ValueError('has series, which needs modality = "sequence" too')
        if self.tokenizer and self.modality != "text":
            raise ValueError('has a tokenizer, which needs modality = "text" too')
        if self.schema_path is not None and (self.encoding or self.features or self.relations or self.size or self.immutable):
            raise ValueError("has a schema, which says what encoding, features, relations, size and immutable say; leave those out")
        return self
