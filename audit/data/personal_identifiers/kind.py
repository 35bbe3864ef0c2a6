"""Kind: one sort of personal identifier, how it is written, and what a genuine one fulfils."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from classifier.registry import Registry

Evidence = Literal["checksum", "form", "name"]


@dataclass(frozen=True)
class Kind(ABC):
    """One sort of personal identifier; each is one file in ``kinds``, registered under its name.

    A cell is searched for candidates, stretches of text of the right form; each fulfils the kind's rule or does not. Of
    candidates whose digits are random the share `chance` does. A checksum is told from them by being fulfilled more often;
    a mere form by being fulfilled nearly always, because numbers of other sorts fulfil it often, and not by chance.
    """

    #: What it is called in a sentence, in the plural.
    noun: ClassVar[str]
    #: Whether the rule is a checksum, or only more of the form.
    evidence: ClassVar[Evidence]
    #: The candidates in a cell.
    pattern: ClassVar[re.Pattern[str]]
    #: The share of candidates with random digits that fulfil the rule; ``None`` where having the form is the evidence.
    chance: ClassVar[float | None] = None
    #: Of a form: whether it tells enough without a column name that agrees.
    alone: ClassVar[bool] = True
    #: What a column of such identifiers is called: words, or parts of Chinese names.
    column_names: ClassVar[tuple[str, ...]] = ()

    def draw(self, candidate: str) -> str:
        """What of a candidate its rule is about; numbers that share it are one draw, and no evidence twice.

        Args:
            candidate: What `pattern` found.
        """
        return candidate

    @abstractmethod
    def holds(self, candidate: str) -> bool:
        """Whether a candidate fulfils the rule.

        Args:
            candidate: What `pattern` found.
        """

    def candidates(self, cell: str) -> list[str]:
        """The stretches of a cell that have the form."""
        return [found.group() for found in self.pattern.finditer(cell)]


KINDS: Registry[Kind] = Registry("audit.data.personal_identifiers.kinds", "kind of personal identifier")


def register(kind: type[Kind]) -> type[Kind]:
    """Register a kind under the stem of its file; a class decorator."""
    KINDS.register(kind())
    return kind
