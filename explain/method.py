"""Method: one way to divide an output among the parts of an input. Each is one file in ``explain/attribution``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from torch import Tensor

from classifier.architectures._terms import AdditiveNetwork
from classifier.classifier import Classifier
from classifier.registry import Registry
from classifier.seeds import Seed
from explain.output import Kind, Output

Need = Literal["gradient", "terms"]


@dataclass(frozen=True)
class Task:
    """What is to be explained.

    Args:
        output: The number that is divided.
        x: Inputs ``(N, *S)``, on the classifier's device.
        target: Class to explain, for each input ``(N,)``.
        baseline: What the inputs are compared with ``(M, *S)``: one for all inputs (M = 1), one for each
            (M = N), or for a method that takes a background, any number of rows.
    """

    output: Output
    x: Tensor
    target: Tensor
    baseline: Tensor

    @property
    def classifier(self) -> Classifier:
        """What is explained."""
        return self.output.classifier


@dataclass(frozen=True)
class Scores:
    """What a method gives.

    Args:
        attributions: One number an element ``(N, *S)``, in the unit of the output.
        base_value: The output at the baseline, or its mean over the background ``(N,)``.
        exact: Whether the attributions are what the method defines, up to rounding, and not an estimate of it.
        standard_error: Standard error of each player's attribution ``(N, P)``, where it was sampled.
    """

    attributions: Tensor
    base_value: Tensor
    exact: bool = False
    standard_error: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """A frozen dataclass of options, checked when it is made. Its id is the stem of its file."""

    #: What the classifier must offer beyond its outputs.
    needs: ClassVar[frozenset[Need]] = frozenset()
    #: What it can divide.
    outputs: ClassVar[frozenset[Kind]] = frozenset(get_args(Kind))
    #: Whether it averages over a background ``(B, *S)``; otherwise it takes one baseline an input.
    takes_background: ClassVar[bool] = False

    @abstractmethod
    def __call__(self, task: Task, seed: Seed) -> Scores:
        """Divide the output of each input.

        Args:
            task: What is to be explained.
            seed: Where all random numbers come from.
        """

    def obstacle(self, classifier: Classifier, *, rows: int, background: int) -> str:
        """Why the method does not hold for this classifier and this much work; empty where it does.

        Args:
            classifier: What is to be explained.
            rows: How many inputs.
            background: How many rows they are compared with.
        """
        if "gradient" in self.needs and not classifier.differentiable:
            return f"it needs gradients, and {classifier.why_no_gradients}"
        if "terms" in self.needs and not isinstance(classifier.module, AdditiveNetwork):
            return "it needs an additive network, whose logits are a sum of terms of single features or pairs"
        if "terms" in self.needs and classifier.description.calibration is not None:
            return "the logits are calibrated, and are no sum of the network's terms any more"
        return ""


METHODS: Registry[type[Method]] = Registry("explain.attribution", "attribution method")
