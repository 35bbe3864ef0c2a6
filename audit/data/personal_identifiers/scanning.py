"""The scan of a table for personal identifiers, and the decision whether chance explains what it found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from unicodedata import normalize

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from audit.data.personal_identifiers.column_names import IDENTIFYING, contradicted, named_as
from audit.data.personal_identifiers.kind import KINDS, Evidence, Kind
from audit.data.personal_identifiers.masking import masked
from classifier.metric import Metric
from classifier.spelling import spelled
from classifier.statistics import proportion

# Of each column so many different values are looked at, evenly spread over it.
MOST_VALUES = 20_000
# The chance that a table of random digits raises any alarm at all, shared out over its columns and kinds.
_FALSE_ALARM = 1e-3
# A form is fulfilled by nearly all that has it where it is what the column holds.
_NEARLY_ALL = 0.9


@dataclass(frozen=True)
class Found:
    """What was found in one column.

    Args:
        column: The column.
        kind: Which kind, as an id; or a sort of name, ``"names"``.
        noun: What it is called.
        evidence: The strongest there is: ``"checksum"``, ``"form"`` or ``"name"`` of the column.
        alarm: Whether it is more than chance, or than other numbers of this form, would give.
        share: Share of the different values looked at that hold one.
        candidates: How many stretches had the form.
        hits: How many of them fulfil the rule.
        p_value: The chance of so many hits among random digits; ``None`` for what no random text looks like.
        example: One of them with every digit as ``9`` and every letter as ``x``.
        reason: Why it is an alarm, or none.
    """

    column: str
    kind: str
    noun: str
    evidence: Evidence
    alarm: bool
    share: Metric
    candidates: int
    hits: int
    p_value: float | None
    example: str
    reason: str


def scan_columns(frame: pd.DataFrame, *, limit: int = MOST_VALUES) -> tuple[Found, ...]:
    """Scan every column for every kind of personal identifier.

    Decisive is an exact binomial test of the hits among the candidates against the share that random digits would give: a
    table of random digits raises an alarm of the kinds that have such a share with a chance of 0.1 % at most, shared out over
    columns and kinds. Each different draw counts once. Where a kind has no checksum, nearly all candidates must fulfil its rule
    besides: the Wilson interval's low end is 0.9 or more, or, of fewer than 35, all do. A column's name counts where its cells
    do not contradict it.

    Args:
        frame: The table.
        limit: How many different values of a column are looked at.

    Returns:
        What was found, alarms or not, by column, alarms first.
    """
    kinds = {identifier: KINDS[identifier] for identifier in KINDS}
    level = _FALSE_ALARM / max(1, len(frame.columns) * sum(kind.chance is not None for kind in kinds.values()))
    found: list[Found] = []
    for name in frame.columns:
        text = spelled(frame[name]).dropna()
        values = text.unique()
        looked_at = values[np.unique(np.linspace(0, len(values) - 1, min(limit, len(values))).astype(int))] if len(values) else values
        # Digits of full width and blanks that do not break are written in their plain form.
        looked_at = np.array([normalize("NFKC", value) for value in looked_at], dtype=object)
        here = [entry for identifier, kind in kinds.items() if (entry := _scan(str(name), identifier, kind, looked_at, level)) is not None]
        if not any(entry.alarm for entry in here):
            here += _by_name(str(name), looked_at, len(values), len(text), kinds)
        found += sorted(here, key=lambda entry: (not entry.alarm, -entry.hits))
    return tuple(found)


def _scan(column: str, identifier: str, kind: Kind, values: NDArray[Any], level: float) -> Found | None:
    hit = np.zeros(len(values), dtype=bool)
    candidates: set[str] = set()
    hits: set[str] = set()
    for place, value in enumerate(values):
        for candidate in kind.candidates(value):
            candidates.add(candidate)
            if candidate in hits or kind.holds(candidate):
                hits.add(candidate)
                hit[place] = True
    if not hits:
        return None
    drawn, right = (len({kind.draw(candidate) for candidate in some}) for some in (candidates, hits))
    share = proportion("data.personal_identifiers", hit, better="lower").measured_on(column=column, kind=identifier)
    named = named_as(column, kind.column_names)
    reason = f"{len(hits)} of {len(candidates)} that have the form fulfil its rule"
    p_value = None if kind.chance is None else float(stats.binom.sf(right - 1, drawn, kind.chance))
    if drawn < len(candidates):
        reason += f", {drawn} of them if numbers that count on are one"
    if p_value is not None:
        reason += f", where chance would give {kind.chance:.2g} of them (p {_p(p_value)})"
    alarm = p_value is None or p_value <= level
    if kind.evidence == "form":
        low = proportion("", np.arange(len(candidates)) < len(hits)).low or 0.0
        alarm &= low >= _NEARLY_ALL or len(hits) == len(candidates) < 35
        if not kind.alone and named is None:
            alarm, reason = False, f"{reason}, which many other codes do too"
    if not alarm and named is not None and 2 * len(hits) >= len(candidates):
        alarm, reason = True, f"{reason}; and the column is called so"
    return Found(column, identifier, kind.noun, kind.evidence, alarm, share, len(candidates), len(hits), p_value, masked(min(hits)), reason)


def _p(value: float) -> str:
    return f"= {value:.1e}" if value >= 1e-12 else "< 1e-12"


def _by_name(column: str, values: NDArray[Any], different: int, rows: int, kinds: Mapping[str, Kind]) -> Iterable[Found]:
    """What a column is called, where its cells do not contradict it: more than two values, and not a few that all rows share."""
    # Where kinds share a word, it says the one that has the most names, and is the widest.
    wide = sorted(kinds.values(), key=lambda kind: -len(kind.column_names))
    sorts = {**IDENTIFYING, **{kind.noun: kind.column_names for kind in wide}}
    if different <= 2 or different < 0.05 * rows:
        return ()
    named = [(noun, word) for noun, words in sorts.items() if (word := named_as(column, words)) is not None]
    noun, word = next((each for each in named if not contradicted(*each, column, list(values))), (None, None))
    if noun is None:
        return ()
    share = proportion("data.personal_identifiers", np.ones(len(values), dtype=bool), better="lower").measured_on(column=column, kind=noun)
    reason = f"its name has {word!r}, and its {rows} cells {different} different values"
    return (Found(column, noun, noun, "name", True, share, 0, 0, None, masked(str(min(values))), reason),)
