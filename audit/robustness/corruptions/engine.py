"""Corrupt inputs, and ask a classifier about them (Hendrycks and Dietterich, 2019, arXiv:1903.12261)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audit.robustness.corruptions.corruption import SEVERITIES, Corruption, corruption_of, corruption_seed, refusals
from audit.robustness.corruptions.row_draws import RowDraws
from audit.robustness.labelled_rows import require_labelled
from classifier.chunks import chunk_size, in_chunks
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, DataError, NotApplicableError
from classifier.modality import modality_of
from classifier.schema import Schema
from classifier.seeds import Seed

# Input elements that are corrupted at once; the random numbers of each are made in 64 bits.
_ELEMENTS = 2**20


@dataclass(frozen=True)
class Answers:
    """What a classifier answered.

    Args:
        right: Which rows were decided rightly ``(N,)``.
        confidence: Probability of the class that each row was taken for ``(N,)``.
        brier: Squared distance of the probabilities from the truth, from 0 to 2 ``(N,)``.
        invalid: Which rows are no valid inputs of the schema, or lie outside its bounds ``(N,)``.
    """

    right: NDArray[np.bool_]
    confidence: NDArray[np.float64]
    brier: NDArray[np.float64]
    invalid: NDArray[np.bool_]


@dataclass(frozen=True)
class UnderCorruption:
    """What a classifier answered clean inputs and corrupted ones.

    Args:
        clean: Answers to the inputs as they are.
        corrupted: Answers by kind and severity.
        kinds: The corruptions.
        severities: Their severities, rising.
        refused: Corruptions that cannot be done to such inputs, and why.
    """

    clean: Answers
    corrupted: Mapping[tuple[str, int], Answers]
    kinds: tuple[str, ...]
    severities: tuple[int, ...]
    refused: Mapping[str, str]

    def right(self, kind: str) -> NDArray[np.bool_]:
        """Which rows were decided rightly at each severity ``(S, N)``."""
        return np.stack([self.corrupted[kind, severity].right for severity in self.severities])


def corrupt(
    inputs: Tensor,
    schema: Schema,
    *,
    kind: str,
    severity: int,
    seed: int = 0,
    rows: Tensor | None = None,
    reference: Tensor | None = None,
) -> Tensor:
    """Corrupt inputs.

    What is drawn for a row hangs on the seed, the kind and what the row is called, not on the severity, the rows beside it
    or the size of a chunk.

    Args:
        inputs: Inputs ``(N, *S)``.
        schema: What they mean.
        kind: Id of the corruption, the stem of its file.
        severity: From 1 to 5; 0 gives the inputs back.
        seed: Where random numbers come from.
        rows: What each row is called ``(N,)``, int64; by default its place.
        reference: Inputs that tell what is typical ``(M, *S)``; by default the inputs themselves.

    Returns:
        Corrupted inputs ``(N, *S)``, of the same type and on the same device.

    Raises:
        ConfigurationError: If there is no such corruption or no such severity.
        DataError: If the inputs are of another shape than the schema's, or `rows` of another length.
        NotApplicableError: If the corruption cannot be done to such inputs.
    """
    if severity not in (0, *SEVERITIES):
        raise ConfigurationError(f"severity must be 0 to {max(SEVERITIES)}, got {severity}")
    corruption = corruption_of(schema, kind, inputs if reference is None else reference)
    if corruption.why_not():
        raise NotApplicableError(f"{kind} cannot be done here: {corruption.why_not()}")
    names = _names(inputs, schema, rows)
    return inputs if severity == 0 else _corrupted(corruption, inputs, severity, names, corruption_seed(seed, kind))


def answers_under_corruption(
    classifier: Classifier,
    inputs: Tensor,
    labels: Tensor,
    *,
    kinds: Sequence[str] = (),
    severities: Sequence[int] = SEVERITIES,
    threshold: float = 0.5,
    seed: int = 0,
    rows: Tensor | None = None,
    reference: Tensor | None = None,
) -> UnderCorruption:
    """Ask a classifier about inputs as they are, and corrupted in each way.

    Args:
        classifier: What is asked; it needs no gradients.
        inputs: Inputs ``(N, *S)``.
        labels: Their classes ``(N,)``.
        kinds: The corruptions; by default every one that can be done to such inputs.
        severities: Their severities.
        threshold: Of two classes, the probability of the event at which it is presumed.
        seed: Where random numbers come from.
        rows: What each row is called ``(N,)``, int64; by default its place.
        reference: Inputs that tell what is typical ``(M, *S)``; by default the inputs themselves.

    Raises:
        ConfigurationError: If there is no such corruption or no such severity.
        DataError: If there are no rows, a label is no class, or the classifier's answer is not finite.
        NotApplicableError: If none of the corruptions can be done to such inputs.
    """
    schema = classifier.schema
    if not severities or not set(severities) <= set(SEVERITIES):
        raise ConfigurationError(f"severities must be of 1 to {max(SEVERITIES)}, got {list(severities)}")
    require_labelled("a corruption", len(inputs), labels, classifier)
    names = _names(inputs, schema, rows)
    typical = inputs if reference is None else reference
    asked = {kind: corruption_of(schema, kind, typical).why_not() for kind in kinds} if kinds else refusals(schema, typical)
    possible = tuple(kind for kind, reason in asked.items() if not reason)
    if not possible:
        raise NotApplicableError("no corruption can be done to such inputs: " + "; ".join(f"{kind}: {why}" for kind, why in asked.items()))
    corrupted = {}
    for kind in possible:
        corruption = corruption_of(schema, kind, typical)
        for severity in sorted(set(severities)):
            x = _corrupted(corruption, inputs, severity, names, corruption_seed(seed, kind))
            corrupted[kind, severity] = _answers(classifier, x, labels, threshold, f"under {kind} of severity {severity}")
    return UnderCorruption(
        clean=_answers(classifier, inputs, labels, threshold, "as they are"),
        corrupted=corrupted,
        kinds=possible,
        severities=tuple(sorted(set(severities))),
        refused={kind: reason for kind, reason in asked.items() if reason},
    )


def _names(inputs: Tensor, schema: Schema, rows: Tensor | None) -> Tensor:
    """What each row is called ``(N,)``, int64."""
    if tuple(inputs.shape[1:]) != schema.shape:
        raise DataError(f"inputs must have the shape (N, {', '.join(map(str, schema.shape))}), got {tuple(inputs.shape)}")
    if rows is None:
        return torch.arange(len(inputs))
    if len(rows) != len(inputs):
        raise DataError(f"rows must name each of {len(inputs)} inputs, got {len(rows)} names")
    return rows.to(torch.int64)


def _corrupted(corruption: Corruption, inputs: Tensor, severity: int, names: Tensor, seed: Seed) -> Tensor:
    def part(chosen: Tensor) -> Tensor:
        return corruption(inputs[chosen.to(inputs.device)], severity, RowDraws(names[chosen], seed)).to(inputs)

    if len(inputs) == 0:
        return inputs
    return in_chunks(part, torch.arange(len(inputs)), size=chunk_size(tuple(inputs.shape[1:]), elements=_ELEMENTS))


def _answers(classifier: Classifier, x: Tensor, labels: Tensor, threshold: float, when: str) -> Answers:
    logits = classifier.logits(x).double()
    if not logits.isfinite().all():
        raise DataError(f"the classifier answers inputs {when} with values that are not finite", remedy="check its weights and its inputs")
    probabilities, y = logits.softmax(1).cpu(), labels.cpu()
    decided = (probabilities[:, 1] >= threshold).long() if probabilities.shape[1] == 2 else probabilities.argmax(1)
    truth = torch.nn.functional.one_hot(y, probabilities.shape[1])
    return Answers(
        right=(decided == y).numpy(),
        confidence=probabilities.gather(1, decided[:, None])[:, 0].numpy(),
        brier=(probabilities - truth).square().sum(1).numpy(),
        invalid=_invalid(classifier.schema, x),
    )


def _invalid(schema: Schema, x: Tensor) -> NDArray[np.bool_]:
    """Which inputs are none of the schema ``(N,)``."""
    modality = modality_of(schema)
    low, high = (bound.to(x.device) for bound in schema.bounds)
    slack = 1e-4 * schema.scale.to(x.device)
    inside = ((x >= low - slack) & (x <= high + slack)).flatten(1).all(1)
    return (~(inside & modality.valid(x))).cpu().numpy()
