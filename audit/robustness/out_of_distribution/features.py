"""The features of a row that the Mahalanobis distance is taken in: what the last linear layer of a network is given."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from classifier.chunks import in_chunks
from classifier.classifier import Classifier

# A covariance of more features than this costs more than it tells.
_WIDEST = 2048
# Rows that show which layer gives the answer.
_SEEN = 32


@dataclass(frozen=True)
class Features:
    """From inputs to one vector a row.

    Args:
        classifier: Whose features they are.
        layer: The linear layer whose inputs they are; ``None`` where they are the logits.
        reason: Why they are the logits.
    """

    classifier: Classifier
    layer: nn.Linear | None
    reason: str = ""

    @classmethod
    def of(cls, classifier: Classifier, x: Tensor) -> Features:
        """The penultimate activations where the classifier's answer is that of one linear layer, else its logits.

        Args:
            classifier: Whose features they are.
            x: Some rows to see it on ``(N, *S)``; another path through the network may be silent on a single one.
        """
        module = classifier.module
        if module is None:
            return cls(classifier, None, "the classifier is a black box")
        calls: list[tuple[nn.Linear, Tensor, Tensor]] = []

        def remember(layer: nn.Module, given: tuple[Tensor, ...], answer: Tensor) -> None:
            assert isinstance(layer, nn.Linear)  # hooked below on these alone
            calls.append((layer, given[0], answer))

        hooks = [layer.register_forward_hook(remember) for layer in module.modules() if isinstance(layer, nn.Linear)]
        try:
            with torch.no_grad():
                answer = module(x[:_SEEN].to(classifier.device))
        finally:
            for hook in hooks:
                hook.remove()
        if not isinstance(answer, Tensor) or not calls:
            return cls(classifier, None, "no linear layer gives its answer")
        layer, given, given_back = calls[-1]
        # Another layer's or a sum's answer would make the features something else than what the logits are made from.
        alone = sum(other is layer for other, _, _ in calls) == 1
        if not alone or given.dim() != 2 or given_back.numel() != answer.numel() or not torch.equal(given_back.flatten(), answer.flatten()):
            return cls(classifier, None, "its answer is not that of one linear layer alone")
        if given.shape[1] > _WIDEST:
            return cls(classifier, None, f"its last linear layer takes {given.shape[1]} features, more than {_WIDEST}")
        return cls(classifier, layer)

    @property
    def place(self) -> str:
        """What the features are: ``"penultimate"`` or ``"logits"``."""
        return "logits" if self.layer is None else "penultimate"

    def __call__(self, x: Tensor) -> Tensor:
        """Features of inputs ``(N, *S)``, as ``(N, D)``."""
        x = x.to(self.classifier.device)
        if self.layer is None:
            return self.classifier.logits(x)
        with torch.no_grad():
            return in_chunks(self._penultimate, x)

    def _penultimate(self, x: Tensor) -> Tensor:
        module, layer = self.classifier.module, self.layer
        assert module is not None  # a black box has no layer
        assert layer is not None
        taken: list[Tensor] = []
        hook = layer.register_forward_pre_hook(lambda _, given: taken.append(given[0]))
        try:
            module(x)
        finally:
            hook.remove()
        return taken[0]
