"""Answers: the outputs of a classifier for many inputs, for one class or for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from classifier.chunks import ELEMENTS, chunk_size
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, did_you_mean
from explain.output import Output

# Input elements that go through the network at once on a processor: more leave its cache.
_CACHED = 2**17
_WORDS = {"log_odds": "log-odds", "logit": "logit", "probability": "probability"}


@dataclass(frozen=True)
class Answers:
    """A function from inputs to one number for each class that is looked at.

    Args:
        output: The number.
        targets: The classes, by their index.
    """

    output: Output
    targets: tuple[int, ...]

    @classmethod
    def of(cls, classifier: Classifier, output: str, target: int | str | None) -> Answers:
        """The answers for one class; where none is named, for the event of two classes, or for each of more.

        Raises:
            ConfigurationError: If there is no such class, or no such output of this classifier.
        """
        classes = classifier.classes
        if target is None:
            return cls(Output.of(classifier, output), (1,) if len(classes) == 2 else tuple(range(len(classes))))
        if isinstance(target, str) and target not in classes:
            raise ConfigurationError(f"there is no class {target!r}", remedy=did_you_mean(target, classes))
        index = classes.index(target) if isinstance(target, str) else target
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(classes):
            raise ConfigurationError(
                f"target must lie in 0 to {len(classes) - 1}, got {index!r}", remedy=f"the classes are: {', '.join(classes)}"
            )
        return cls(Output.of(classifier, output), (index,))

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes that are looked at."""
        return tuple(self.output.classifier.classes[target] for target in self.targets)

    @property
    def unit(self) -> str:
        """What the numbers are: ``"log-odds of bad"``, or of several classes ``"logit of each class"``."""
        return f"{_WORDS[self.output.kind]} of {self.classes[0] if len(self.targets) == 1 else 'each class'}"

    def __call__(self, x: Tensor) -> Tensor:
        """The output of each input for each class ``(N, T)``, float64, in main memory.

        Args:
            x: Inputs ``(N, *S)``.
        """
        logits = self.output.classifier.logits(x)
        columns = [self.output.of_logits(logits, torch.full((len(x),), target, device=logits.device)) for target in self.targets]
        return torch.stack(columns, 1).to("cpu", torch.float64)


def pieces(total: int, x: Tensor) -> Iterator[slice]:
    """Slices of a long list of inputs like those of `x` ``(N, *S)``, each as long as its device likes."""
    size = chunk_size(tuple(x.shape[1:]), elements=_CACHED if x.device.type == "cpu" else ELEMENTS)
    return (slice(start, start + size) for start in range(0, total, size))
