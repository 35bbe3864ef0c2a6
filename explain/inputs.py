"""Inputs: what a caller gives to be explained and to compare with, checked once for all that explains."""

from __future__ import annotations

import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, DataError
from classifier.modality import modality_of

# What encoding and decoding leaves of a number.
_ROUNDING = 1e-4


def checked_batch(classifier: Classifier, inputs: Tensor) -> Tensor:
    """Inputs ``(N, *S)`` on the classifier's device, of its type.

    Raises:
        ConfigurationError: If they are no batch of the schema's shape.
        DataError: If they are not finite.
    """
    x = _checked(inputs, "inputs", classifier).to(classifier.device)
    if x.dim() != len(classifier.schema.shape) + 1 or len(x) == 0:
        raise ConfigurationError(
            f"inputs must be a batch {_batch(classifier, 'N')} of at least one, got {tuple(inputs.shape)}",
            remedy="a single input x is the batch x[None]",
        )
    return x


def resolve_baseline(classifier: Classifier, baseline: Tensor | None) -> tuple[Tensor, tuple[str, ...]]:
    """What inputs are compared with ``(M, *S)``: the baseline given, else the mean training row on the card, else the neutral input.

    A classifier that takes the values of a table would round a mean by itself: it is rounded here, so that what is recorded
    is what was asked, and the note that comes with it says so.

    Raises:
        ConfigurationError: If it has another shape, or no rows.
        DataError: If it is not finite.
    """
    shape = classifier.schema.shape
    if baseline is None:
        recorded = classifier.card.get("baseline")
        baseline = modality_of(classifier.schema).neutral() if recorded is None else torch.tensor(recorded).reshape(shape)
    reference = _checked(baseline, "baseline", classifier).reshape(-1, *shape)
    if len(reference) == 0:
        raise ConfigurationError(f"the background must have at least one row, got {tuple(baseline.shape)}")
    if not classifier.takes_whole_values:
        return reference, ()
    schema = classifier.schema
    rounded = schema.encode(schema.decode(reference)).to(reference)
    moved = modality_of(schema).gather(((rounded - reference).abs() > _ROUNDING).double()).sum(0) > 0
    names = [name for name, so in zip(schema.names, moved.tolist(), strict=True) if so]
    if not names:
        return reference, ()
    first = modality_of(schema).words(rounded[:1])[0]
    shown = ", ".join(f"{name} = {first[name]}" if len(rounded) == 1 else name for name in names)
    return rounded, (f"the classifier takes whole values and no shares of them: the baseline was rounded to {shown}",)


def _batch(classifier: Classifier, letter: str) -> str:
    return f"({', '.join((letter, *map(str, classifier.schema.shape)))})"


def _checked(values: object, name: str, classifier: Classifier) -> Tensor:
    """Inputs as float32, if they are a tensor of finite numbers whose last axes are an input's."""
    if not isinstance(values, Tensor):
        raise ConfigurationError(
            f"{name} must be a tensor, got {type(values).__name__}", remedy="encode a table with classifier.schema.encode(frame)"
        )
    shape = classifier.schema.shape
    if values.dim() not in (len(shape), len(shape) + 1) or tuple(values.shape[values.dim() - len(shape) :]) != shape:
        raise ConfigurationError(f"{name} must have the shape {shape} or {_batch(classifier, 'N')}, got {tuple(values.shape)}")
    wrong = ~values.isfinite()
    if wrong.any():
        raise DataError(f"{name} must be finite, got {int(wrong.sum())} values that are not", remedy="fill or drop missing values first")
    modality = modality_of(classifier.schema)
    given = values.detach().to(modality.dtype)
    if not modality.continuous and not ((given == values) & (given >= 0) & (given < classifier.schema.bounds[1] + 1)).all():
        raise DataError(f"{name} must hold numbers of tokens, got others", remedy="encode texts with classifier.schema.encode(frame)")
    return given
