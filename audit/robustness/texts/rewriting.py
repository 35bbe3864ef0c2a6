"""Rewriting: a change to what a text says, of which it is known beforehand what it should do to the decision."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from classifier.registry import Registry


@dataclass(frozen=True)
class Rewriting(ABC):
    """One such change. Each is one file in ``audit/robustness/texts/rewritings``."""

    #: Whether the decision should stay; otherwise it should mostly turn.
    should_stay: ClassVar[bool] = True

    @abstractmethod
    def variants(self, text: str, count: int, generator: np.random.Generator) -> list[str]:
        """Texts that say something else, at most `count`, each once and none of them `text`; none where there is nothing to change."""


REWRITINGS: Registry[type[Rewriting]] = Registry("audit.robustness.texts.rewritings", "rewriting")
