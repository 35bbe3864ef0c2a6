"""Nearest neighbours: the training rows that are most like the input, for comparison with methods that look at the training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.modality import modality_of
from classifier.seeds import Seed
from explain.training_data.last_layer import last_linear, representations
from explain.training_data.method import INFLUENCE_METHODS, InfluenceMethod, Influences, InfluenceTask, cpu_scores

# Rows among which the distance of neighbours is measured: it is a scale, and needs no more.
_SOME = 1000
_INPUTS, _AUTO = "inputs", "auto"


@INFLUENCE_METHODS.register
@dataclass(frozen=True, kw_only=True)
class NearestNeighbours(InfluenceMethod):
    """How near a training row is: for the target where it is of that class, and against it where it is of another.

    ``1 / (1 + d^2 / h^2)``: 1 for a row that is the same, one half at the distance h that neighbouring training rows
    typically have. It knows nothing of training, and a row that is near need not have made the decision. It is what
    other methods must beat.

    Args:
        layer: Where distance is measured: the name of a layer, by what it gives; ``"inputs"``, in shares of each
            feature's range, or of texts by the tokens that they have in common; or ``"auto"``: what goes into the last
            linear layer, and the inputs where there is none.
    """

    meaning: ClassVar[str] = "nearness (no unit) to rows of {target}, less than 0 to others"
    needs_network: ClassVar[bool] = False

    layer: str = _AUTO

    def obstacle(self, classifier: Classifier) -> str:
        if self.layer not in (_AUTO, _INPUTS) and classifier.module is None:
            return f"the layer {self.layer!r} is inside the network, and {classifier.why_no_gradients}"
        if classifier.schema.modality == "graph" and (self.layer == _INPUTS or (self.layer == _AUTO and last_linear(classifier) is None)):
            return "the same graph can be written in many orders of its nodes, so that a distance between inputs means nothing"
        return ""

    def __call__(self, task: InfluenceTask, seed: Seed) -> Influences:
        where, layer = self._place(task.classifier)
        asked = self._points(task.classifier, layer, task.x)
        total = len(task.training)
        some = torch.randperm(total, generator=seed.torch())[:_SOME]
        near = self._points(task.classifier, layer, task.training[some.numpy()].inputs.to(task.x.device))
        apart = torch.cdist(near, near).fill_diagonal_(torch.inf).amin(1)
        # Rows that occur twice are no measure of how far neighbours are.
        apart = apart[apart.isfinite() & (apart > 0)]
        scale = apart.median() if len(apart) else asked.new_ones(())
        scores = cpu_scores(task)
        for rows, x, labels in task.batches():
            nearness = 1 / (1 + (torch.cdist(asked, self._points(task.classifier, layer, x)) / scale).square())
            scores[:, rows] = torch.where(labels == task.target[:, None], nearness, -nearness).cpu()
        return Influences(scores, (f"distance is measured in {where}",))

    def _place(self, classifier: Classifier) -> tuple[str, str | None]:
        """Where distance is measured, in words, and the layer; ``None`` for the inputs."""
        if self.layer not in (_AUTO, _INPUTS):
            return f"the output of the layer {self.layer!r}", self.layer
        if self.layer == _AUTO and (last := last_linear(classifier)) is not None:
            return "what goes into the last linear layer", last
        return ("the share of tokens that texts have in common" if not modality_of(classifier.schema).continuous else "the inputs"), None

    def _points(self, classifier: Classifier, layer: str | None, x: Tensor) -> Tensor:
        """Inputs as points ``(N, D)``."""
        if layer is not None:
            return representations(classifier, layer, x, of="output" if layer == self.layer else "input").float()
        modality = modality_of(classifier.schema)
        if not modality.continuous:
            counts = torch.zeros(len(x), int(classifier.schema.features[0].high or 0) + 1, device=x.device)
            counts.scatter_add_(1, x, modality.present(x).to(counts))
            return torch.nn.functional.normalize(counts, dim=1)
        low, high = (bound.to(x.device) for bound in classifier.schema.bounds)
        span = torch.where((high - low).isfinite() & (high > low), high - low, torch.ones_like(low))
        return (x / span).flatten(1).float()
