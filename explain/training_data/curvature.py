"""Curvature of the mean training loss by the weights: the Gauss-Newton matrix (Martens, 2020, arXiv:1412.1193) or the Hessian."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from classifier.classifier import Classifier
from explain.training_data.gradients import RowGradients
from explain.training_data.loss import TrainingLoss
from explain.training_data.method import InfluenceTask

# Numbers of a factor's rows that are made once and kept; 2**24 floats are 64 MiB.
_KEPT = 2**24
# Training rows that a product goes through at once, for all vectors.
_AT_ONCE = 256


class Curvature(Protocol):
    """A symmetric matrix ``(P, P)`` that is known by its products."""

    @property
    def size(self) -> float:
        """The weight of all training rows together."""

    def __call__(self, vectors: Tensor) -> Tensor:
        """Products with vectors ``(B, P)``."""

    def matrix(self) -> Tensor:
        """The matrix itself, in double precision."""


class GaussNewton:
    """The Hessian that the mean loss would have if logits were linear in the weights. It has no negative direction.

    It is ``A^T A``, with some rows of A for each training row: of two classes one, the gradient of the log-odds times the
    deviation of the label under the model, and of K classes K.

    Args:
        task: What is asked about.
        gradients: The weights.
        loss: What was trained.
    """

    def __init__(self, task: InfluenceTask, gradients: RowGradients, loss: TrainingLoss) -> None:
        self.task, self.gradients, self.loss = task, gradients, loss
        self.size = loss.size(task.training.labels)
        self._kept: list[Tensor] | None = None

    def __call__(self, vectors: Tensor) -> Tensor:
        total = torch.zeros_like(vectors)
        if factor_numbers(self.task.classifier, len(self.task.training), self.gradients.size) > _KEPT:
            for _, x, labels in self.task.batches(size=_AT_ONCE):
                total += self._product(vectors, x, labels)
            return total
        if self._kept is None:
            self._kept = list(self.factor())
        for rows in self._kept:
            total += (vectors @ rows.T) @ rows
        return total

    def matrix(self) -> Tensor:
        """The matrix itself ``(P, P)``, in double precision."""
        total = torch.zeros(self.gradients.size, self.gradients.size, dtype=torch.float64, device=self.task.classifier.device)
        for rows in self.factor():
            total += rows.double().T @ rows.double()
        return total

    def factor(self) -> Iterator[Tensor]:
        """The rows of A in pieces ``(r, P)``."""
        classes = len(self.task.classifier.classes)
        for _, x, labels in self.task.batches(size=self.gradients.chunk):
            chances = self.gradients.classifier.probabilities(x)
            scale = self._shares(labels).sqrt()[:, None]
            if classes == 2:
                deviation = chances.prod(1, keepdim=True).sqrt() * scale
                yield self.gradients(_weighted, x, torch.cat([-deviation, deviation], dim=1))
                continue
            roots = chances.sqrt()
            for k in range(classes):
                # Column k of a square root of diag(p) - p p^T.
                column = -chances * roots[:, k : k + 1]
                column[:, k] += roots[:, k]
                yield self.gradients(_weighted, x, column * scale)

    def _product(self, vectors: Tensor, x: Tensor, labels: Tensor) -> Tensor:
        """Products of some rows' part with vectors ``(B, P)``, without gradients of single rows."""
        weights = self.gradients.weights.requires_grad_()
        with torch.enable_grad(), _twice_differentiable():
            logits = self.gradients.logits(weights, x)
            dual = torch.zeros_like(logits, requires_grad=True)
            (pulled,) = torch.autograd.grad(logits, weights, dual, create_graph=True)
            # What is pulled back is linear in the dual, so its derivative by it pushes vectors forward.
            (pushed,) = torch.autograd.grad(pulled, dual, vectors, is_grads_batched=True, retain_graph=True)
            p = logits.detach().softmax(1)
            bent = self._shares(labels)[:, None] * p * (pushed - (p * pushed).sum(-1, keepdim=True))
            (product,) = torch.autograd.grad(logits, weights, bent, is_grads_batched=True)
        return product

    def _shares(self, labels: Tensor) -> Tensor:
        """How much the curvature of each row counts in the mean ``(n,)``."""
        smooth = self.loss.label_smoothing
        return ((1 - smooth) * self.loss.weights[labels] + smooth * self.loss.weights.mean()) / self.size


class Hessian:
    """The second derivatives of the mean loss; away from a minimum it may have negative directions.

    Args:
        task: What is asked about.
        gradients: The weights.
        loss: What was trained.
    """

    def __init__(self, task: InfluenceTask, gradients: RowGradients, loss: TrainingLoss) -> None:
        self.task, self.gradients, self.loss = task, gradients, loss
        self.size = loss.size(task.training.labels)

    def __call__(self, vectors: Tensor) -> Tensor:
        total = torch.zeros_like(vectors)
        for _, x, labels in self.task.batches(size=_AT_ONCE):
            weights = self.gradients.weights.requires_grad_()
            with torch.enable_grad(), _twice_differentiable():
                mean = self.loss(self.gradients.logits(weights, x), labels).sum() / self.size
                (slope,) = torch.autograd.grad(mean, weights, create_graph=True)
                (products,) = torch.autograd.grad(slope, weights, vectors, is_grads_batched=True)
            total += products
        return total

    def matrix(self) -> Tensor:
        """The matrix itself ``(P, P)``, in double precision."""
        every = torch.eye(self.gradients.size, dtype=self.gradients.weights.dtype, device=self.task.classifier.device)
        found = torch.cat([self(some) for some in torch.split(every, 128)]).double()
        return (found + found.T) / 2


def factor_numbers(classifier: Classifier, rows: int, size: int) -> int:
    """How many numbers a factor of the Gauss-Newton matrix of so many training rows and weights has."""
    classes = len(classifier.classes)
    return (1 if classes == 2 else classes) * rows * size


@contextmanager
def _twice_differentiable() -> Iterator[None]:
    """Attention by plain products, which alone has second derivatives, and no warning where vectors go one by one."""
    with sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="There is a performance drop")
        yield


def _weighted(logits: Tensor, about: Tensor) -> Tensor:
    return (logits * about).sum(1)
