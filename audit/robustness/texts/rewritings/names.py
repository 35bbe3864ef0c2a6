"""Names of persons and places, changed for others of their kind (Ribeiro et al., 2020, arXiv:2005.04118)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

import numpy as np

from audit.robustness.texts.partners import partners_in
from audit.robustness.texts.reading import read_table
from audit.robustness.texts.rewriting import REWRITINGS, Rewriting


@REWRITINGS.register
@dataclass(frozen=True)
class Names(Rewriting):
    """Every name of the table for another of its group, the same one wherever it stands; and Chinese surnames before a title."""

    def variants(self, text: str, count: int, generator: np.random.Generator) -> list[str]:
        found = sorted({match.group().lower() for match in _names().finditer(text)})
        others = {name: generator.permutation(np.array(_others(name), dtype=object)) for name in found}
        texts: dict[str, None] = {}
        for turn in range(count if found else 0):
            chosen = {name: str(drawn[turn % len(drawn)]) for name, drawn in others.items()}
            texts[_names().sub(lambda match, chosen=chosen: _as_written(match.group(), chosen[match.group().lower()]), text)] = None  # type: ignore[misc]
        return list(texts)


@cache
def _names() -> re.Pattern[str]:
    """Names, the longest first, with no letter of the Latin alphabet beside one that is written in it."""
    titled = read_table("names")["titled"]
    names = sorted(partners_in("names"), key=lambda name: (-len(name), name))
    spaced, unspaced = ([name for name in names if name.isascii() == latin] for latin in (True, False))
    before_title = f"[{''.join(titled['surnames'])}](?={'|'.join(titled['titles'])})"
    return re.compile(rf"(?<![a-z])(?:{'|'.join(spaced)})(?![a-z])|{'|'.join(unspaced)}|{before_title}", re.IGNORECASE)


def _others(name: str) -> tuple[str, ...]:
    surnames: list[str] = read_table("names")["titled"]["surnames"]
    return partners_in("names").get(name) or tuple(other for other in surnames if other != name)


def _as_written(before: str, after: str) -> str:
    return after.capitalize() if before[0].isupper() else after
