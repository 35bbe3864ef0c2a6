"""Representer points: the last layer's output as a sum over training rows (Yeh et al., 2018, arXiv:1811.09720)."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, NotApplicableError
from classifier.seeds import Seed
from explain.training_data.last_layer import last_linear, representations
from explain.training_data.loss import TrainingLoss, uncalibrated
from explain.training_data.method import INFLUENCE_METHODS, InfluenceMethod, Influences, InfluenceTask

# How far the last layer may be from the sum over training rows, as a share of its length, to be called that sum.
_STATIONARY = 0.05
_ROUNDS = 1000


@INFLUENCE_METHODS.register
@dataclass(frozen=True, kw_only=True)
class Representer(InfluenceMethod):
    """The share of each training row in the output: of two classes in the log-odds, of more in the target's logit.

    Where the weights of the last layer are at a minimum of ``mean loss + l2 |W|^2 / 2``, they are a sum over training rows, and
    so is the output: ``alpha(row) . (h(row) . h(input) + 1)``, with h what goes into the layer (theorem 3.1). All
    shares of an input sum to its output. The bias counts as the weight of a feature that is always 1.

    Args:
        l2: Weight of the penalty. With `refit` off, it must be what the layer was trained with.
        refit: Whether to train the last layer to its minimum first, with the rest as it is; a note says how far the
            refitted classifier decides as the given one does. Otherwise a layer that is at no minimum is refused.
    """

    meaning: ClassVar[str] = "share in the output for {target}"

    l2: float = 0.003
    refit: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.l2 < inf:
            raise ConfigurationError(f"l2 must be above 0 and finite, got {self.l2}")

    def obstacle(self, classifier: Classifier) -> str:
        reason = super().obstacle(classifier)
        return reason or (
            "" if last_linear(classifier) is not None else "the network's answer is not the output of a linear layer that is used once"
        )

    def __call__(self, task: InfluenceTask, seed: Seed) -> Influences:
        network = uncalibrated(task.classifier)
        layer, loss = last_linear(network), TrainingLoss.of(network)
        assert layer is not None  # the obstacle
        h = torch.cat([_with_one(representations(network, layer, x, of="input")) for _, x, _ in task.batches()])
        labels = task.training.labels.to(h.device)
        given = self._weights(network, layer, h)
        answer = network.logits(task.training.inputs).double()
        if not torch.allclose(h @ given.T, answer, rtol=1e-3, atol=1e-3 * float(answer.abs().max())):
            raise NotApplicableError(
                f"the network answers its training rows otherwise than its last layer {layer!r}",
                remedy="tracin and trak need no last layer",
            )
        fitted = self._fit(given, h, labels, loss) if self.refit else given
        shares = self._shares(fitted, h, labels, loss)
        gap = float((shares.T @ h - fitted).norm() / fitted.norm())
        if not gap <= _STATIONARY:
            raise NotApplicableError(
                f"the last layer is no sum over these training rows with l2 = {self.l2:g}: {gap:.0%} of its length are missing",
                remedy="take refit=True, or the l2 that it was trained with" if not self.refit else "give a larger l2",
            )
        alike = _with_one(representations(network, layer, task.x, of="input")).double() @ h.T
        of_target = shares[:, task.target].T
        if len(network.classes) == 2:
            of_target = of_target - shares[:, 1 - task.target].T
        return Influences((of_target * alike).cpu(), self._told(given, fitted, h, gap))

    def _weights(self, network: Classifier, layer: str, h: Tensor) -> Tensor:
        """The layer's weights and bias, as one matrix ``(K, D + 1)`` in double precision; a single logit's are halved to two."""
        assert network.module is not None  # a black box is refused
        linear = network.module.get_submodule(layer)
        assert isinstance(linear, nn.Linear)  # last_linear has looked
        bias: Tensor | None = linear.bias
        bias = linear.weight.new_zeros(len(linear.weight)) if bias is None else bias
        whole = torch.cat([linear.weight, bias[:, None]], dim=1).double()
        return torch.cat([-whole / 2, whole / 2]) if len(whole) == 1 else whole

    def _shares(self, weights: Tensor, h: Tensor, labels: Tensor, loss: TrainingLoss) -> Tensor:
        """What each training row gives the weights, by class ``(M, K)``: its slope of the loss over minus l2."""
        logits = (h @ weights.T).requires_grad_()
        with torch.enable_grad():
            (slope,) = torch.autograd.grad(_double(loss)(logits, labels).sum() / loss.size(labels), logits)
        return -slope / self.l2

    def _fit(self, start: Tensor, h: Tensor, labels: Tensor, loss: TrainingLoss) -> Tensor:
        """The weights at the minimum, which is the only one."""
        from scipy.optimize import minimize

        exact, size = _double(loss), loss.size(labels)

        def height(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            weights = torch.from_numpy(flat).to(h).reshape(start.shape).requires_grad_()
            with torch.enable_grad():
                total = exact(h @ weights.T, labels).sum() / size + self.l2 / 2 * weights.square().sum()
                (slope,) = torch.autograd.grad(total, weights)
            return float(total.detach()), slope.flatten().cpu().numpy()

        # What is left of a search that ends early is measured by the gap, and refused there.
        options = {"maxiter": _ROUNDS, "maxfun": 2 * _ROUNDS, "gtol": 1e-9, "ftol": 0.0}
        found = minimize(height, start.flatten().cpu().numpy(), jac=True, method="L-BFGS-B", options=options)
        return torch.from_numpy(found.x).to(h).reshape(start.shape)

    def _told(self, given: Tensor, fitted: Tensor, h: Tensor, gap: float) -> tuple[str, ...]:
        if not self.refit:
            return (f"the last layer is the sum over the training rows up to {gap:.1%} of its length",)
        before, after = (h @ given.T).argmax(1), (h @ fitted.T).argmax(1)
        same = float((before == after).double().mean())
        return (f"the last layer was refitted with l2 = {self.l2:g}, and decides {same:.1%} of the training rows as the classifier does",)


def _with_one(h: Tensor) -> Tensor:
    return torch.cat([h, torch.ones_like(h[:, :1])], dim=1).double()


def _double(loss: TrainingLoss) -> TrainingLoss:
    return TrainingLoss(loss.weights.double(), loss.label_smoothing)
