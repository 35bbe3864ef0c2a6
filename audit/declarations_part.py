"""``[declarations]``: what no measurement tells, and the model's owner answers for."""

from __future__ import annotations

import datetime
from typing import Annotated

from pydantic import Field, field_validator

from audit.toml_files import Form


class DeclarationsPart(Form):
    """What the model's owner declares. Nothing of it is verified; what is left out shows as missing in the report.

    Args:
        intended_use: What the classifier is for, and for what not.
        decision_asked: What the reader of the report is asked to decide.
        valid_until: The last day on which the report may be relied on.
        developer: Who made the classifier.
        validator: Who examined it.
        inventory_id: Its number in the inventory of models.
        tier: Its tier of risk there.
        label_source: Where the labels come from.
        reader_agreement: How far those who labelled agreed.
        planned_n: How many rows were planned for the test.
        power: The power that this number was planned for.
        acceptance_rationale: Why the risks that remain are accepted.
        oversight: Who watches over its decisions, and how.
        contacts: Who answers for the classifier.
        contact: Where somebody whom a decision concerns may turn.
        known_limits: For what it is known not to hold.
        prevailing_language: The language whose report prevails, ``"en"``.
        licence: Under which licence it is given away.
    """

    intended_use: str | None = None
    decision_asked: str | None = None
    valid_until: datetime.date | None = None
    developer: str | None = None
    validator: str | None = None
    inventory_id: str | None = None
    tier: str | int | None = None
    label_source: str | None = None
    reader_agreement: str | float | None = None
    planned_n: Annotated[int, Field(ge=1)] | None = None
    power: Annotated[float, Field(gt=0, lt=1)] | None = None
    acceptance_rationale: str | None = None
    oversight: str | None = None
    contacts: str | None = None
    contact: str | None = None
    known_limits: str | None = None
    prevailing_language: str | None = None
    licence: str | None = None

    @field_validator("valid_until", mode="before")
    @classmethod
    def _day(cls, stated: object) -> object:
        try:
            return datetime.date.fromisoformat(stated) if isinstance(stated, str) else stated
        except ValueError as error:
            raise ValueError("must be a day, such as 2027-01-31") from error

    def stated(self) -> dict[str, str]:
        """What is declared, each in words."""
        return {name: str(value) for name, value in self if value is not None}
