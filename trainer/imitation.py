"""Imitation: a network trained on what another classifier answers (Papernot et al., 2017, arXiv:1602.02697; Tramer et al.,
2016, arXiv:1609.02943)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.dataset import Dataset, Splits
from classifier.errors import ConfigurationError, DataError, NotApplicableError
from classifier.modality import modality_of
from classifier.schema import Schema
from classifier.seeds import Seed
from trainer.loop import train
from trainer.recipe import Recipe

# Labels that stand for one answer in probabilities: each is one of so many equal parts of it.
_PARTS = 4
# How far noise moves an element, in units of change.
_NOISE = 0.2
# How far below the others a class stands that was never answered, in logits.
_NEVER = 10.0
_COMMON = {"epochs": 40, "learning_rate": 3e-3, "batch_size": 64, "patience": None, "class_weights": "none"}
_RECIPES = {
    "tabular": Recipe("mlp", hidden=(64, 64), **_COMMON),  # type: ignore[arg-type]
    "image": Recipe("cnn", hidden=(32,), options={"channels": (8, 16)}, **_COMMON),  # type: ignore[arg-type]
    "text": Recipe("transformer_text", **_COMMON),  # type: ignore[arg-type]
    "sequence": Recipe("temporal_cnn", **_COMMON),  # type: ignore[arg-type]
    "graph": Recipe("graph_attention", **_COMMON),  # type: ignore[arg-type]
}


@dataclass(frozen=True)
class Imitation:
    """A surrogate, and how well it and those of fewer queries decide as the classifier that they imitate.

    Args:
        classifier: The surrogate that most queries trained.
        queries: Numbers of queries, rising ``(Q,)``.
        agreement: Of each number, which held-out rows are decided alike ``(Q, M)``, bool.
    """

    classifier: Classifier
    queries: tuple[int, ...]
    agreement: Tensor


def imitate(
    classifier: Classifier,
    inputs: Tensor,
    *,
    held_out: Tensor,
    queries: Sequence[int] = (100, 400, 1600),
    labels_only: bool = False,
    threshold: float = 0.5,
    recipe: Recipe | None = None,
    seed: int = 0,
) -> Imitation:
    """Train networks on a classifier's answers to so many queries.

    The queries are the given rows, then rows made of them: parts of two put together, places between two, and rows with
    noise. All stay within the schema's bounds, and are valid where the rows are. A larger number of queries holds those
    of a smaller one.

    Args:
        classifier: What is imitated; it is only asked.
        inputs: Rows that whoever imitates has ``(N, *S)``.
        held_out: Rows to compare decisions on, of the same kind and none of `inputs` ``(M, *S)``.
        queries: How many queries, for each network.
        labels_only: Whether the answers are decisions, and not probabilities.
        threshold: Of two classes, the probability of the event at which it is presumed.
        recipe: How the networks are trained; by default a small one for the modality. Its patience and seed are not used.
        seed: Decides the queries and the training.

    Raises:
        ConfigurationError: If a number of queries is under 2.
        DataError: If there are no rows.
        NotApplicableError: If all answers are the same class, so that there is nothing to learn.
    """
    numbers = tuple(sorted(set(queries)))
    if not numbers or numbers[0] < 2:
        raise ConfigurationError(f"queries must be numbers of at least 2, got {list(queries)}")
    if len(inputs) == 0:
        raise DataError("an imitation needs rows to ask about, got none")
    asked = make_queries(inputs, classifier.schema, numbers[-1], Seed(seed, ("imitation", "queries")))
    answers = _decided(classifier, asked, threshold).cpu()
    truth = _decided(classifier, held_out, threshold).argmax(1).cpu()
    labels = answers.argmax(1)
    if len(np.unique(labels)) < 2:
        only = classifier.classes[int(labels[0])]
        raise NotApplicableError(f"all {len(labels)} queries are decided as {only!r}, so that there is nothing to imitate")
    agreement = []
    surrogate = classifier
    for number in numbers:
        if len(np.unique(labels[:number])) < 2:
            agreement.append(truth == labels[0])
            continue
        chosen = recipe or _RECIPES[classifier.schema.modality]
        surrogate = _trained(classifier, asked[:number], answers[:number], labels_only, chosen, Seed(seed, ("imitation", str(number))))
        agreement.append(surrogate.predict(held_out).cpu() == truth)
    return Imitation(surrogate, numbers, torch.stack(agreement))


def make_queries(inputs: Tensor, schema: Schema, count: int, seed: Seed) -> Tensor:
    """Rows to ask about ``(count, *S)``: the given ones in random order, then rows made of them.

    Args:
        inputs: Given rows ``(N, *S)``.
        schema: What they mean.
        count: How many.
        seed: Where the random numbers come from.
    """
    generator = seed.torch()
    inputs = inputs.cpu()
    order = torch.randperm(len(inputs), generator=generator)[:count]
    more = count - len(order)
    if more == 0:
        return inputs[order]
    modality = modality_of(schema)
    one, other = (inputs[torch.randint(len(inputs), (more,), generator=generator)] for _ in range(2))
    wide = (-1, *[1] * (inputs.dim() - 1))
    kept = torch.rand(more, len(modality.players), generator=generator) < torch.rand(more, 1, generator=generator)
    made = modality.mask(one, kept, other)
    if modality.continuous:
        low, high = schema.bounds
        between = torch.lerp(one, other, torch.rand(more, generator=generator).reshape(wide))
        noisy = one + _NOISE * schema.scale * torch.randn(one.shape, generator=generator)
        kind = (torch.arange(more) % 3).reshape(wide)
        moved = torch.where(kind == 1, between, noisy)
        # A row that lies outside the bounds, as test rows may, keeps its own place as one.
        moved = torch.minimum(torch.maximum(moved, torch.minimum(low, one)), torch.maximum(high, one))
        made = torch.where(kind == 0, made, modality.repair(moved, one))
    made = torch.where(modality.valid(made).reshape(wide), made, one)
    return torch.cat([inputs[order], made])


def _decided(classifier: Classifier, x: Tensor, threshold: float) -> Tensor:
    """Log-probabilities ``(N, K)``, of two classes shifted so that the larger one is what is decided."""
    logits = classifier.logits(x).log_softmax(1)
    if not logits.isfinite().all():
        raise DataError("the classifier answers with values that are not finite", remedy="check its weights and its inputs")
    if logits.shape[1] == 2:
        logits[:, 1] += float(np.log((1 - threshold) / threshold))
    return logits


def _trained(classifier: Classifier, x: Tensor, answers: Tensor, labels_only: bool, recipe: Recipe, seed: Seed) -> Classifier:
    labels, batch = answers.argmax(1), recipe.batch_size
    if not labels_only:
        # The trainer learns classes: the middle of each part of the answer says whose part it is.
        places = (torch.arange(_PARTS) + 0.5) / _PARTS
        whole = answers.softmax(1).cumsum(1)
        x, labels = x.repeat_interleave(_PARTS, 0), (whole[:, None] < places[:, None]).sum(2).clamp_max(answers.shape[1] - 1).flatten()
        batch *= _PARTS
    answered, places_of = np.unique(labels.numpy(), return_inverse=True)
    names = tuple(classifier.classes[index] for index in answered)
    data = Dataset(x, torch.from_numpy(places_of), np.arange(len(x)), classifier.schema, names, pd.DataFrame(index=range(len(x))))
    # The last weights are kept: held-out queries would be taken from those that are to be learned.
    plain = replace(recipe, patience=None, batch_size=batch, seed=seed.integer() % 2**31)
    trained = train(Splits(data, data, data), plain, device=str(classifier.device), progress=False)
    if len(names) == len(classifier.classes):
        return trained
    module = _Among(trained, torch.from_numpy(answered), len(classifier.classes))
    return Classifier.wrap(module, schema=classifier.schema, classes=classifier.classes)


class _Among(nn.Module):
    """A network of some of the classes as one of all: those that were never answered stand below the others."""

    index: Tensor

    def __init__(self, trained: Classifier, index: Tensor, classes: int) -> None:
        super().__init__()
        assert trained.module is not None
        self.inner, self.classes, self._logits_of = trained.module, classes, trained.logits_of
        self.register_buffer("index", index)

    def forward(self, x: Tensor) -> Tensor:
        some = self._logits_of(self.inner(x))
        below = (some.amin(1, keepdim=True) - _NEVER).expand(-1, self.classes)
        return below.index_copy(1, self.index, some)
