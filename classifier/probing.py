"""Probing: whether a model is a function of single inputs at all, tried before anything is measured on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from classifier.errors import ModelError
from classifier.modality import modality_of
from classifier.schema import Schema

if TYPE_CHECKING:
    from classifier.classifier import Classifier

# How far logits may differ, as a share of their size: of the same call twice, and of batches of another size, which may
# take another way through the processor and round otherwise.
_ROUNDING, _ALIKE = 1e-4, 1e-2
_REFUSALS = (RuntimeError, ValueError, TypeError, IndexError)
_ON_ITS_OWN = "batch normalisation needs track_running_stats=True, and nothing else may look at the other inputs of a batch"


def require_function(classifier: Classifier) -> None:
    """Refuse a model that does not answer each input with one finite logit a class, always the same.

    Raises:
        ModelError: If it answers with another shape or with values that are not finite, writes over its inputs, draws at
            random, or looks at the other inputs of a batch.
    """
    probe = _probe(classifier.schema).to(classifier.device)
    asked = probe.clone()
    try:
        logits = classifier.logits(asked)
    except _REFUSALS as error:
        raise ModelError(
            f"the model does not take inputs of shape {tuple(probe.shape)}: {error}", remedy=_other_type(classifier)
        ) from error
    if logits.shape != (2, len(classifier.classes)):
        raise ModelError(
            f"the model answers 2 inputs with shape {tuple(logits.shape)}, required is (2, {len(classifier.classes)})",
            remedy=f"name as many classes as it has outputs (now: {', '.join(classifier.classes)})",
        )
    if not logits.isfinite().all():
        lost = (
            []
            if classifier.module is None
            else [name for name, tensor in classifier.module.named_parameters() if not tensor.isfinite().all()]
        )
        since = f", since weights are not: {', '.join(lost[:5])}" if lost else ""
        remedy = "train again with a lower learning rate and clipped gradients" if lost else "check its preprocessing"
        raise ModelError(f"the model answers with values that are not finite{since}", remedy=remedy)
    if not torch.equal(asked, probe):
        raise ModelError("the model writes over its inputs", remedy="let it work on a copy, as x = x - 1 does and x -= 1 does not")
    size = 1 + logits.abs().max()
    apart = (classifier.logits(probe.clone()) - logits).abs().max()
    if apart > _ROUNDING * size:
        raise ModelError(
            f"the model answers the same inputs otherwise the second time: logits differ by {float(apart):.2g}",
            remedy="switch off what it draws at random, as torch.nn.Dropout and F.dropout(x, training=self.training) do",
        )
    try:
        alone = classifier.logits(probe[:1].clone())
    except _REFUSALS as error:
        raise ModelError(f"the model does not take an input alone: {error}", remedy=_ON_ITS_OWN) from error
    apart = (alone - logits[:1]).abs().max()
    if apart > _ALIKE * size:
        raise ModelError(
            f"the model answers an input otherwise among others than alone: logits differ by {float(apart):.2g}", remedy=_ON_ITS_OWN
        )


def _probe(schema: Schema) -> Tensor:
    """Two inputs that any model takes ``(2, *S)``: different ones, where a little more of an input is one too."""
    modality = modality_of(schema)
    # The middle of the bounds: a model of incomes may well take their logarithm, and 0 is none.
    probe = modality.neutral().expand(2, *schema.shape).clone()
    if schema.modality in ("tabular", "image", "sequence"):
        low, high = schema.bounds
        probe[1] += torch.where(low.isfinite() & high.isfinite(), torch.nan_to_num(high - low), schema.scale) / 10
    return probe


def _other_type(classifier: Classifier) -> str:
    types = {t.dtype for t in classifier.module.state_dict().values() if t.is_floating_point()} if classifier.module is not None else set()
    other = next(iter(types - {torch.float32}), None)
    return f"inputs are torch.float32 and its weights {other}: bring model.float()" if other else ""
