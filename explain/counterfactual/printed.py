"""Printed: the values of a table in as many digits as tell them, so that who types one back gets the value that was tried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from classifier.modalities.tabular import word_for
from classifier.schema import Feature, Schema

if TYPE_CHECKING:
    from explain.counterfactual.result import Counterfactuals

# Digits of a number that is told in one more than is usual; and those that tell any double.
_MORE, _ALL = 5, 17


def words_of_changes(result: Counterfactuals) -> tuple[list[dict[str, str]], list[dict[str, str]], list[set[str]]]:
    """Say what inputs are and might have been.

    Args:
        result: The counterfactuals.

    Returns:
        Of each input ``(N,)`` its players in words, a number in as many digits as tell it from what it becomes; of each changed
        input ``(M,)`` the same, a number that changed in the fewest digits that are encoded as just that value; and of each
        changed input ``(M,)`` the features that need more digits than are usual, though rounder ones were looked for.
    """
    schema = result.schema
    before, after = result.modality.words(result.inputs), result.modality.words(result.values)
    longer: list[set[str]] = [set() for _ in after]
    if schema.modality != "tabular":
        return before, after, longer
    for player, feature in enumerate(schema.features):
        if feature.kind != "continuous":
            continue
        column, number = schema.groups[feature.name].start, _Number(schema, feature)
        others: dict[int, list[tuple[str, float]]] = {}
        for place in result.changed[:, player].nonzero()[:, 0].tolist():
            encoded = float(result.values[place, column])
            text, long = number.exact(encoded)
            after[place][feature.name] = number.with_unit(text)
            if long and result.options["rounded"]:
                longer[place].add(feature.name)
            others.setdefault(int(result.row[place]), []).append((text, encoded))
        for row, known in others.items():
            before[row][feature.name] = number.with_unit(number.telling(float(result.inputs[row, column]), known))
    return before, after, longer


def decimals_of(schema: Schema, feature: Feature) -> tuple[float, float]:
    """Where the encoded numbers of a feature begin in natural units, and how much of them one is."""
    scaled = schema.encoding == "unit" and feature.low is not None
    return (float(feature.low or 0.0), feature.span) if scaled else (0.0, 1.0)


class _Number:
    """The numbers of one feature in print."""

    def __init__(self, schema: Schema, feature: Feature) -> None:
        self._feature, self._unit = feature, f" {feature.unit}" if feature.unit else ""
        self._low, self._span = decimals_of(schema, feature)

    def exact(self, encoded: float) -> tuple[str, bool]:
        """The shortest decimal that is encoded as just this number, and whether it needs more digits than are usual."""
        for place, text in enumerate(self._texts(encoded)):  # noqa: B007  # the last is taken where none is exact
            if np.float32((_value(text) - self._low) / self._span) == np.float32(encoded):
                break
        return text, place > 0

    def telling(self, encoded: float, others: list[tuple[str, float]]) -> str:
        """A number in as many digits as tell on which side of it others lie, which are printed so."""
        for text in self._texts(encoded):
            if all((_value(text) < _value(other)) == (encoded < there) and _value(text) != _value(other) for other, there in others):
                break
        return text

    def with_unit(self, text: str) -> str:
        return text + self._unit

    def _texts(self, encoded: float) -> Iterator[str]:
        """As is usual, then in more and more digits."""
        value = self._low + self._span * encoded
        yield word_for(self._feature, value).removesuffix(self._unit)
        for digits in range(max(_MORE, len(f"{abs(value):.0f}")), _ALL + 1):
            yield f"{value:,.{digits}g}"


def _value(text: str) -> float:
    return float(text.replace(",", ""))
