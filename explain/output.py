"""Output: the one number of a classifier that an explanation divides among the parts of an input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, ModelError, did_you_mean

Kind = Literal["log_odds", "logit", "probability"]
Target = int | str | Tensor | Sequence[int] | Sequence[str] | None


@dataclass(frozen=True)
class Output:
    """A scalar function of an input and a class.

    Args:
        classifier: What is explained.
        kind: ``"log_odds"`` is the logit of the target less that of the other class, of two;
            ``"logit"`` and ``"probability"`` are those of the target.
    """

    classifier: Classifier
    kind: Kind

    @classmethod
    def of(cls, classifier: Classifier, kind: str) -> Output:
        """The output that `kind` names; ``"auto"`` is the log-odds for two classes and the logit for more.

        Raises:
            ConfigurationError: If there is no such output, or it needs two classes and there are more.
        """
        if kind == "auto":
            kind = "log_odds" if len(classifier.classes) == 2 else "logit"
        for known in get_args(Kind):
            if kind == known:
                break
        else:
            raise ConfigurationError(f"there is no output {kind!r}", remedy=did_you_mean(kind, ("auto", *get_args(Kind))))
        if known == "log_odds" and len(classifier.classes) > 2:
            raise ConfigurationError(
                f"log_odds compares two classes, and the classifier has {len(classifier.classes)}",
                remedy='take output="logit" or output="probability"',
            )
        return cls(classifier, known)

    def __call__(self, x: Tensor, target: Tensor) -> Tensor:
        """The output at each input.

        Args:
            x: Inputs ``(N, *S)``; differentiable where they require a gradient.
            target: Class to explain, for each input ``(N,)``.

        Returns:
            One number an input ``(N,)``.

        Raises:
            ModelError: If one of them is not finite.
        """
        return self.of_logits(self.classifier.logits(x), target)

    def of_logits(self, logits: Tensor, target: Tensor) -> Tensor:
        """The output ``(N,)`` where the logits are ``(N, K)`` and the classes to explain ``(N,)``.

        Raises:
            ModelError: If one of them is not finite.
        """
        chosen = self.chosen(logits, target)
        self.require_finite(int((~chosen.isfinite()).sum()), len(chosen))
        return chosen

    def chosen(self, logits: Tensor, target: Tensor) -> Tensor:
        """As `of_logits`, without a look at the values, which would make a device wait."""
        scores = logits.softmax(1) if self.kind == "probability" else logits
        chosen = scores.gather(1, target[:, None])[:, 0]
        return chosen - scores.gather(1, 1 - target[:, None])[:, 0] if self.kind == "log_odds" else chosen

    @property
    def affine(self) -> bool:
        """Whether it is affine in what the network answers."""
        calibration = self.classifier.description.calibration
        return self.kind != "probability" and (calibration is None or calibration.kind != "isotonic")

    def each(self, answers: Tensor) -> Tensor:
        """The output of every class ``(N, K)`` where the network answers ``(N, K)``, or one logit a row."""
        logits = self.classifier.logits_of(answers)
        classes = torch.arange(logits.shape[1], device=logits.device).repeat(len(logits))
        return self.chosen(logits.repeat_interleave(logits.shape[1], 0), classes).reshape(logits.shape)

    def require_finite(self, wrong: int, count: int) -> None:
        """Refuse outputs of which so many are not finite.

        Raises:
            ModelError: If there is one.
        """
        if wrong:
            raise ModelError(
                f"the classifier gives a {self.kind} that is not finite for {wrong} of {count} inputs "
                "that the explanation needs; some are mixtures of an input and its baseline",
                remedy="check the weights, and how the model treats values between or outside its training data",
            )


def resolve_target(classifier: Classifier, x: Tensor, target: Target) -> Tensor:
    """The class to explain, for each input ``(N,)``, int64.

    Args:
        classifier: What is explained.
        x: Inputs ``(N, *S)``.
        target: A class as index or name for all inputs, one for each, or ``None``: of two classes
            the event for every input, of more the predicted class of each.

    Raises:
        ConfigurationError: If a class does not exist or there is not one for each input.
    """
    classes = classifier.classes
    if target is None:
        return torch.ones(len(x), dtype=torch.int64, device=x.device) if len(classes) == 2 else classifier.predict(x)
    if isinstance(target, str):
        if target not in classes:
            raise ConfigurationError(f"there is no class {target!r}", remedy=did_you_mean(target, classes))
        target = classes.index(target)
    if isinstance(target, Sequence) and any(isinstance(one, str) for one in target):
        unknown = [one for one in target if one not in classes and not isinstance(one, int)]
        if unknown:
            raise ConfigurationError(f"there is no class {unknown[0]!r}", remedy=did_you_mean(str(unknown[0]), classes))
        target = [classes.index(one) if isinstance(one, str) else one for one in target]
    indices = torch.as_tensor(target, device=x.device)
    if indices.is_floating_point() or indices.dtype == torch.bool or indices.shape not in ((), (len(x),)):
        raise ConfigurationError(
            f"target must be one class, or one index for each of the {len(x)} inputs, got shape {tuple(indices.shape)} of {indices.dtype}"
        )
    wrong = (indices < 0) | (indices >= len(classes))
    if wrong.any():
        raise ConfigurationError(
            f"target must lie in 0 to {len(classes) - 1}, got {int(indices[wrong].flatten()[0])}",
            remedy=f"the classes are: {', '.join(classes)}",
        )
    return indices.to(torch.int64).expand(len(x)).clone()
