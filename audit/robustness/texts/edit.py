"""Edit: one way of writing a word otherwise, so that a reader still takes the text for the same."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from classifier.registry import Registry

Kind = Literal["characters", "homoglyphs", "chinese", "insertion", "deletion", "substitution"]


@dataclass(frozen=True, kw_only=True)
class Edit(ABC):
    """One kind of change to one word. Each is one file in ``audit/robustness/texts/edits``.

    Args:
        table: In lower case, what a word may be replaced by; only substitution looks at it.
    """

    #: What it is counted under.
    kind: ClassVar[Kind]
    table: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @abstractmethod
    def alternatives(self, word: str) -> list[str]:
        """All that may stand for `word`, always in the same order; nothing where the edit does not apply.

        Args:
            word: As it stands in the text. An alternative may be empty, or more than a word.
        """


EDITS: Registry[type[Edit]] = Registry("audit.robustness.texts.edits", "edit")
