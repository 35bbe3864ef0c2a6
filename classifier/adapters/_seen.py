"""Which values of the data the encoders inside an estimator were fitted with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from classifier.adapters._equality import sample_inputs
from classifier.errors import ModelError
from classifier.schema import Schema

# Enough for each of fifty categories to be drawn: one is missed with a chance of (1 - 1/50)^512.
_ROWS = 512


def unseen_values(estimator: Any, schema: Schema) -> tuple[str, ...]:
    """What the encoders of an estimator have never seen of the schema's categories, as sentences.

    One that ignores unknown values answers all the same, as if each row had none of its categories.

    Args:
        estimator: A fitted estimator; encoders are looked for in pipelines and column transformers.
        schema: What the table's columns mean.

    Raises:
        ModelError: If an encoder has seen none of the values of a column.
    """
    given = schema.decode(sample_inputs(schema, _ROWS))
    notes = []
    for column, known in _encoded(estimator, schema.names):
        if column not in schema.names:
            continue  # the estimator itself says that it lacks one
        feature = schema[column]
        # Numbers are drawn within their bounds, and need not be ones that occur; but they are none of several strings.
        if not feature.categories and not all(isinstance(value, str) for value in known):
            continue
        values = sorted(set(given[column]), key=str)
        unseen = [value for value in values if value not in known]
        shown = ", ".join(map(repr, known[:5])) + (", ..." if len(known) > 5 else "")
        if len(unseen) == len(values):
            remedy = "let a step before the encoder turn the one into the other; true and false are given as 'yes' and 'no'"
            if not feature.categories:
                remedy = f'state [data.features.{column}] kind = "categorical"'
            raise ModelError(
                f"the encoder of {column!r} knows {shown}; the data have {', '.join(map(repr, values[:3]))}, which it has never seen",
                remedy=remedy,
            )
        if unseen:
            notes.append(f"the encoder of {column} has never seen {', '.join(map(str, unseen))}; it knows {shown}")
    return tuple(notes)


def _encoded(part: Any, names: Sequence[str]) -> Iterator[tuple[str, list[Any]]]:
    """Each column that an encoder takes as it is in the table, with the categories that it knows.

    Args:
        part: An estimator, or a step of one.
        names: The columns that it takes, in order.
    """
    if hasattr(part, "categories_"):
        for name, known in zip(names, part.categories_, strict=False):
            yield name, [value.item() if hasattr(value, "item") else value for value in known]
    elif hasattr(part, "transformers_"):
        fitted = [str(name) for name in getattr(part, "feature_names_in_", names)]
        for _, inner, columns in part.transformers_:
            yield from _encoded(inner, _chosen(columns, fitted))
    elif hasattr(part, "steps"):
        # An imputer leaves the values that there are.
        steps = (step for _, step in part.steps if step not in (None, "passthrough") and not type(step).__name__.endswith("Imputer"))
        yield from _encoded(next(steps, None), [str(name) for name in getattr(part, "feature_names_in_", names)])


def _chosen(columns: Any, names: Sequence[str]) -> list[str]:
    """The names of the columns that one part of a column transformer takes; none where they are given in another way."""
    listed: list[Any] = [columns] if isinstance(columns, str | int) else list(columns) if isinstance(columns, list | tuple) else []
    if all(isinstance(column, str) for column in listed):
        return listed
    numbered = all(isinstance(column, int) and not isinstance(column, bool) and column < len(names) for column in listed)
    return [names[column] for column in listed] if numbered else []
