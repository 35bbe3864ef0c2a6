"""What all methods share that follow attention from the answer back to the parts of an input."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from classifier.architectures.transformer_text import TextTransformer
from classifier.classifier import Classifier
from classifier.errors import ModelError
from classifier.modalities._observed import observed_column
from classifier.seeds import Seed
from explain.internals.attention import split_rows, view_of, why_no_attention
from explain.internals.attention_tap import Attended, attend
from explain.internals.attention_view import AttentionView
from explain.method import Law, Method, Quantity, Scores, Task

_CLASS_BLIND = "attention is the same whichever class is asked about: it tells what was looked at, not what spoke for the class"
_LOOKED_AT = "attention is no measure of what decided (Jain and Wallace, 2019, arXiv:1902.10186)"
# The steps of a series and the nodes of a graph are all that attends there.
_RESIDUE = {
    "text": "the begin and the end of a text get nothing; the weights of the rest are scaled to sum to 1",
    "tabular": "the token that asks gets nothing; the weights of the rest are scaled to sum to 1",
}
_GRAMS = "what the n-grams of the text say by themselves passes by the attention, and is not in the weights"


@dataclass(frozen=True, kw_only=True)
class AttentionMethod(Method):
    """Follows attention from the answer back to the tokens, and lays what arrives over the parts of the input."""

    modalities: ClassVar[frozenset[str]] = frozenset({"tabular", "text", "sequence", "graph"})
    quantity: ClassVar[Quantity] = "weight"
    laws: ClassVar[frozenset[Law]] = frozenset()
    #: What is said of its results.
    class_blind: ClassVar[bool] = True
    told: ClassVar[tuple[str, ...]] = (_CLASS_BLIND,)

    @abstractmethod
    def weigh(self, view: AttentionView, found: Attended, task: Task) -> Tensor:
        """What arrives at each token ``(n, T)``, at least 0.

        Args:
            view: What some of the inputs attended to, on the classifier's device.
            found: The pass that it is of, through which gradients flow.
            task: These inputs and their classes.
        """

    def __call__(self, task: Task, seed: Seed) -> Scores:
        classifier, start, laid, empty, dropped = task.classifier, 0, [], 0, False
        for x in split_rows(classifier, task.x):
            some = Task(task.output, x, task.target[start : start + len(x)], task.baseline)
            with torch.enable_grad():
                found = attend(classifier, x)
                view = view_of(classifier, x, found)
            if (view.reads.sum((1, 2)) == 0).any():
                raise ModelError(
                    "the answer reads no token after the last layer of attention",
                    remedy="attention decides nothing here; kernel_shap and permutation_shap ask for outputs alone",
                )
            arrived = torch.where(view.parts >= 0, self.weigh(view, found, some).detach(), 0)
            dropped = dropped or bool((view.there & (view.parts < 0)).any())
            total = arrived.sum(1, keepdim=True)
            empty += int((total == 0).sum())
            laid.append(_laid(some, view, torch.where(total > 0, arrived / total, 0)))
            start += len(x)
        notes = (*self.told, _LOOKED_AT)
        notes += (_RESIDUE[classifier.schema.modality],) if dropped else ()
        notes += (_GRAMS,) if isinstance(classifier.module, TextTransformer) else ()
        notes += (f"nothing arrives at any part of {empty} of the {len(task.x)} inputs",) if empty else ()
        return Scores(torch.cat(laid), exact=True, notes=notes)

    def obstacle(self, classifier: Classifier, *, rows: int, background: int, players: int | None = None) -> str:
        return super().obstacle(classifier, rows=rows, background=background, players=players) or why_no_attention(classifier, parts=True)


def _laid(task: Task, view: AttentionView, weights: Tensor) -> Tensor:
    """Weights of tokens ``(n, T)`` over the elements of the inputs ``(n, *S)``.

    A step has as much as its token, divided evenly among its variables, since it is attended to as a whole.
    """
    schema = task.classifier.schema
    parts = len(schema.features) if schema.modality == "tabular" else schema.size[0]
    values = torch.zeros(len(weights), parts, dtype=weights.dtype, device=weights.device).scatter_add(1, view.parts.clamp_min(0), weights)
    if schema.modality != "sequence":
        return task.modality.spread(values, task.x)
    flag = observed_column(schema)
    shares = torch.tensor([1 / feature.width for feature in schema.features for _ in range(feature.width)], device=weights.device)
    if flag is not None:
        shares[flag] = 0
    return values[:, :, None] * shares / shares.sum()


def mean_step(weights: Tensor, residual: float) -> Tensor:
    """One layer's attention ``(n, H, Q, T)`` as one step ``(n, Q, T)``: the mean of its heads, and a share that stays where it is.

    A pooling has no way around it, and no share stays.
    """
    mean = weights.mean(1)
    if mean.shape[1] == 1 < mean.shape[2]:
        return mean
    return (1 - residual) * mean + residual * torch.eye(mean.shape[-1], device=mean.device)
