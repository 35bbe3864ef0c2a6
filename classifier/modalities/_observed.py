"""Inputs that vary in length: a flag of each step or node says whether it was there or only fills up the size."""

from __future__ import annotations

from classifier.schema import Feature, Schema

OBSERVED = "(observed)"


def observed_feature() -> Feature:
    """The flag, 1 where a step or node was there and 0 where it was not. Nobody can change it."""
    return Feature(OBSERVED, "binary", low=0.0, high=1.0, mutable=False)


def observed_column(schema: Schema) -> int | None:
    """Where the flag stands among the encoded columns; ``None`` where all inputs have one length."""
    return schema.groups[OBSERVED].start if OBSERVED in schema.groups else None
