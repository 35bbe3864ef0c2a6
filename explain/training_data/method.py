"""Influence method: one way to say which training rows made a decision. Each is one file in ``explain/training_data``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from classifier.chunks import chunk_size
from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.registry import Registry
from classifier.seeds import Seed


@dataclass(frozen=True)
class InfluenceTask:
    """What is asked about.

    Args:
        classifier: What decided.
        training: The rows that it learned from, M of them.
        x: The inputs that were decided on ``(N, *S)``, on the classifier's device.
        target: The class that is asked about, for each input ``(N,)``.
        checkpoints: The classifier at several times of its training, or several of one recipe; at least one.
        progress: Whether to show a bar on a terminal.
    """

    classifier: Classifier
    training: Dataset
    x: Tensor
    target: Tensor
    checkpoints: tuple[Classifier, ...]
    progress: bool = True

    def batches(self, *, size: int | None = None) -> Iterator[tuple[slice, Tensor, Tensor]]:
        """The training rows in pieces: their places, their inputs ``(m, *S)`` and labels ``(m,)``, on the classifier's device."""
        device, total = self.classifier.device, len(self.training)
        size = size or chunk_size(self.classifier.schema.shape)
        for start in range(0, total, size):
            rows = slice(start, min(start + size, total))
            yield rows, self.training.inputs[rows].to(device), self.training.labels[rows].to(device)


@dataclass(frozen=True)
class Influences:
    """What a method gives.

    Args:
        scores: How much each training row speaks for the class that is asked about ``(N, M)``; below 0, against it.
        notes: What a reader must know of this result, as sentences.
    """

    scores: Tensor
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class InfluenceMethod(ABC):
    """A frozen dataclass of options, checked when it is made. Its id is the stem of its file."""

    #: How the field writes its name, where that is not its id with spaces.
    spelling: ClassVar[str] = ""
    #: What one score is, as it stands beside an axis; ``{target}`` is the class.
    meaning: ClassVar[str]
    #: Whether it needs the network, and not its outputs alone.
    needs_network: ClassVar[bool] = True
    #: Whether it takes several checkpoints.
    takes_checkpoints: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, task: InfluenceTask, seed: Seed) -> Influences:
        """Score every training row for every input; an input alone gets what it gets among others.

        Args:
            task: What is asked about.
            seed: Where all random numbers come from.
        """

    def obstacle(self, classifier: Classifier) -> str:
        """Why the method does not hold for this classifier; empty where it does."""
        if self.needs_network and classifier.module is None:
            return f"it needs the network, and {classifier.why_no_gradients}"
        return ""


INFLUENCE_METHODS: Registry[type[InfluenceMethod]] = Registry("explain.training_data.methods", "influence method")


def cpu_scores(task: InfluenceTask) -> Tensor:
    """Room for the scores of a task ``(N, M)``, all 0."""
    return torch.zeros(len(task.x), len(task.training))
