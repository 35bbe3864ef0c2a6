"""Catalogues of controls: one TOML file a law or standard, with the ids, titles, dates and sources of its clauses."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from audit.toml_files import Form, read_toml
from classifier.errors import ConfigurationError, did_you_mean

_FOLDER = Path(__file__).parent
_DATE = r"^\d{4}(-\d{2}(-\d{2})?)?$"


class Titles(Form):
    """A title in each language; it says in a few words what a clause is about, and does not quote it."""

    en: Annotated[str, Field(min_length=1)]
    zh_cn: Annotated[str, Field(min_length=1, alias="zh-CN")]

    def __call__(self, language: str) -> str:
        """The title in a language; in English where there is none in it."""
        return self.zh_cn if language == "zh-CN" else self.en


class Control(Form):
    """One clause.

    Args:
        id: The clause within the law, ``"10.2.f"``.
        title: What it is about.
        evidence: What answers it: a check, a metric, all of an area (``"fairness."``), or a part of the record (``"record.policy"``).
        related: Of the same kinds, what informs it and does not answer it: numbers about biases are no measures against them.
        declarations: The declarations that answer it together where no measurement does.
        different: Whether these must name different ones, as two people.
    """

    id: Annotated[str, Field(min_length=1)]
    title: Titles
    evidence: tuple[str, ...] = ()
    related: tuple[str, ...] = ()
    declarations: tuple[str, ...] = ()
    different: bool = False


class LawHead(Form):
    """What a law or standard is.

    Args:
        id: By which rules name it, ``"eu-ai-act"``; the name of its file.
        title: What it is called.
        source: Where it was published.
        in_force: Since when, as far as it is known: a year, a month or a day.
        applies_from: From when on it applies, where that is another day.
        version: Edition of this file, raised with each change of it.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    title: Titles
    source: Annotated[str, Field(min_length=1)]
    in_force: Annotated[str, Field(pattern=_DATE)]
    applies_from: Annotated[str, Field(pattern=_DATE)] | None = None
    version: Annotated[int, Field(ge=1)]


class Law(Form):
    """A law or standard, and the clauses of it that this catalogue knows."""

    law: LawHead
    control: Annotated[tuple[Control, ...], Field(min_length=1)]

    @property
    def ids(self) -> tuple[str, ...]:
        """Each clause as rules name it, ``"eu-ai-act:10.2.f"``."""
        return tuple(f"{self.law.id}:{control.id}" for control in self.control)


def laws() -> tuple[str, ...]:
    """Ids of the laws and standards that there are catalogues of."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


@cache
def read_law(identifier: str) -> Law:
    """The catalogue of a law or standard.

    Raises:
        ConfigurationError: If there is none; the message names the nearest.
    """
    if identifier not in laws():
        raise ConfigurationError(f"there is no catalogue of controls {identifier!r}", remedy=did_you_mean(identifier, laws()))
    return read_toml(Law, _FOLDER / f"{identifier}.toml")


@cache
def control_ids() -> frozenset[str]:
    """Every clause of every catalogue, as rules name it."""
    return frozenset(control for law in laws() for control in read_law(law).ids)


def named_laws(controls: Iterable[str]) -> tuple[str, ...]:
    """The laws that some clauses are of, each once, in the order of their catalogues.

    Args:
        controls: Clauses as rules name them; one of a law without a catalogue is left out.
    """
    named = {control.partition(":")[0] for control in controls}
    return tuple(law for law in laws() if law in named)
