"""Method: one way to explain an output by the parts of an input. Each is one file in ``explain/attribution``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor

from classifier.architectures._terms import AdditiveNetwork
from classifier.classifier import Classifier
from classifier.modality import Modality, modality_of
from classifier.registry import Registry
from classifier.seeds import Seed
from explain.gradients.continuum import why_no_gradients
from explain.output import Kind, Output

Need = Literal["gradient", "terms"]
#: What an attribution is. A *contribution* is a share of ``value - base_value``, and all shares sum to it. An *effect* is
#: what the output changes when this part alone does. A *slope* is the change of the output for one encoded unit. A
#: *weight* has no unit: only its size beside the others means something.
Quantity = Literal["contribution", "effect", "slope", "weight"]
#: *dummy*: what the classifier ignores gets nothing. *symmetry*: what plays alike gets alike. *linearity*: the attributions
#: of a sum of classifiers are the sum of theirs. *linear*: a linear classifier gives weight times distance from the baseline.
Law = Literal["dummy", "symmetry", "linearity", "linear"]


@dataclass(frozen=True)
class Task:
    """What is to be explained.

    Args:
        output: The number that is explained.
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

    @property
    def modality(self) -> Modality:
        """How its inputs are taken apart."""
        return modality_of(self.classifier.schema)

    @cached_property
    def reference(self) -> Tensor:
        """Each input with none of its players ``(N, *S)``, for a method of one baseline an input: of a text, the begin and the end stay."""
        nobody = torch.zeros(len(self.modality.players), dtype=torch.bool, device=self.x.device)
        return self.modality.mask(self.x, nobody, self.baseline.expand_as(self.x))


@dataclass(frozen=True)
class Scores:
    """What a method gives.

    Args:
        attributions: One number an element ``(N, *S)``.
        base_value: The output at the baseline, or its mean over the background ``(N,)``; left out, it is computed.
        exact: Whether the attributions are what the method defines, up to rounding, and not an estimate of it.
        standard_error: Standard error of each player's attribution ``(N, P)``, where it was sampled.
        element_error: Standard error of each element's ``(N, *S)``, where elements were sampled one by one.
        notes: What a reader must know of this result, such as a method that stood in for another.
        value: The output at the input ``(N,)``, where the method computed it to more digits than the classifier does.
    """

    attributions: Tensor
    base_value: Tensor | None = None
    exact: bool = False
    standard_error: Tensor | None = None
    element_error: Tensor | None = None
    notes: tuple[str, ...] = ()
    value: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class Method(ABC):
    """A frozen dataclass of options, checked when it is made. Its id is the stem of its file."""

    #: How the field writes its name, where that is not its id with spaces.
    spelling: ClassVar[str] = ""
    #: What the classifier must offer beyond its outputs.
    needs: ClassVar[frozenset[Need]] = frozenset()
    #: What it can explain.
    outputs: ClassVar[frozenset[Kind]] = frozenset(get_args(Kind))
    #: The modalities that it is for.
    modalities: ClassVar[frozenset[str]] = frozenset({"tabular", "image", "text", "sequence", "graph"})
    #: Whether it averages over a background ``(B, *S)``; otherwise it takes one baseline an input.
    takes_background: ClassVar[bool] = False
    #: What its numbers are.
    quantity: ClassVar[Quantity] = "contribution"
    #: Whether its numbers are the same whichever class is asked about.
    class_blind: ClassVar[bool] = False
    #: The laws that it keeps, up to its standard error; a contribution is held to its sum as well.
    laws: ClassVar[frozenset[Law]] = frozenset(get_args(Law))

    @abstractmethod
    def __call__(self, task: Task, seed: Seed) -> Scores:
        """Explain the output of each input.

        What is sampled must be the same for all inputs, so that an input alone gets what it gets among others.

        Args:
            task: What is to be explained.
            seed: Where all random numbers come from.
        """

    def obstacle(self, classifier: Classifier, *, rows: int, background: int, players: int | None = None) -> str:
        """Why the method does not hold for this classifier and this much work; empty where it does.

        Args:
            classifier: What is to be explained.
            rows: How many inputs.
            background: How many rows they are compared with.
            players: The most that one of them has, such as the tokens of the longest text; by default as many as there can be.
        """
        if classifier.schema.modality not in self.modalities:
            return f"it is for inputs of modality {' or '.join(sorted(self.modalities))}, not {classifier.schema.modality}"
        if "gradient" in self.needs and (reason := why_no_gradients(classifier)):
            return f"it needs gradients, and {reason}"
        if "terms" in self.needs and not isinstance(classifier.module, AdditiveNetwork):
            return "it needs an additive network, whose logits are a sum of terms of single features or pairs"
        if "terms" in self.needs and classifier.description.calibration is not None:
            return "the logits are calibrated, and are no sum of the network's terms any more"
        return ""


METHODS: Registry[type[Method]] = Registry("explain.attribution", "attribution method")


def spelled(method: str) -> str:
    """How the field writes a method's name: ``"KernelSHAP"`` for ``kernel_shap``."""
    return (method in METHODS and METHODS[method].spelling) or method.replace("_", " ")
