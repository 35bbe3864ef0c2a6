"""Changes: what differs between an input and what it might have been, in words that a reader can type back."""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING

from explain.counterfactual.printed import words_of_changes

if TYPE_CHECKING:
    from explain.counterfactual.result import Counterfactuals


@dataclass(frozen=True)
class Change:
    """One thing that differs between an input and what it might have been.

    Args:
        feature: The feature, or the player of another modality.
        before: Its value in words, with its unit; a number of a table in as many digits as tell it from `after`.
        after: The value that it would have; empty where it is left out. A number of a table is the one that was tried, to its last digit.
        difference: How much more that is, in natural units; NaN where it is no number of a table.
        longer: Whether `after` needs more digits than are usual, though rounder numbers were looked for.
    """

    feature: str
    before: str
    after: str
    difference: float
    longer: bool = False


def changes_of(result: Counterfactuals) -> list[list[Change]]:
    """What differs in each changed input ``(M,)``, in the order of the features."""
    before, after, longer = words_of_changes(result)
    differences, players = _differences(result), result.modality.players
    changes = []
    for index, row in enumerate(result.row.tolist()):
        gone = result.schema.modality != "tabular" and int(result.donor[index]) < 0
        own = []
        for player in result.changed[index].nonzero()[:, 0].tolist():
            name = players[player]
            difference = differences[name][index] if name in differences else nan
            own.append(Change(name, before[row][name], "" if gone else after[index][name], difference, name in longer[index]))
        changes.append(own)
    return changes


def _differences(result: Counterfactuals) -> dict[str, list[float]]:
    """For each numeric feature of a table, how much more it is in each changed input, in natural units."""
    schema = result.schema
    if schema.modality != "tabular":
        return {}
    before, after = schema.decode(result.inputs[result.row]), schema.decode(result.values)
    return {f.name: (after[f.name] - before[f.name]).astype(float).tolist() for f in schema.features if f.numeric}
