"""Negations, added to what a text says (the directional tests of Ribeiro et al., 2020, arXiv:2005.04118)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np

from audit.robustness.texts.reading import read_table
from audit.robustness.texts.rewriting import REWRITINGS, Rewriting


@REWRITINGS.register
@dataclass(frozen=True)
class Negation(Rewriting):
    """Every verb and every word of praise or degree in the table that is not negated already is negated: one variant a text."""

    should_stay: ClassVar[bool] = False

    def variants(self, text: str, count: int, generator: np.random.Generator) -> list[str]:
        parts: list[str] = []
        end = 0
        for match in _negatable().finditer(text):
            # Two that follow each other without a gap are one, which two negations would affirm.
            if (match.start() > end or not end) and not _negated(text, match):
                parts += [text[end : match.start()], _said(match.group())]
                end = match.end()
        return ["".join((*parts, text[end:]))] if end else []


@cache
def _negatable() -> re.Pattern[str]:
    table = read_table("negations")
    chinese = sorted(table["chinese"], key=lambda word: (-len(word), word))
    return re.compile(rf"(?<![a-z])(?:{'|'.join(table['english'])})(?![a-z])|{'|'.join(chinese)}", re.IGNORECASE)


def _negated(text: str, match: re.Match[str]) -> bool:
    already: dict[str, Any] = read_table("negations")["already"]
    return text[: match.start()].endswith(tuple(already["before"])) or text[match.end() :].lstrip().lower().startswith(
        tuple(already["after"])
    )


def _said(word: str) -> str:
    table = read_table("negations")
    negated: str = table["chinese"].get(word) or table["english"][word.lower()]
    return negated.capitalize() if word[0].isupper() else negated
