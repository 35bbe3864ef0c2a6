"""Decision: what a classifier decides of its logits, and how far an input is from the decision that is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, ModelError

#: Stands for a wanted class: any other than the one decided now.
ANY = -1
#: How far beyond the border a change must lead, in logits: a prediction in another batch differs by some 1e-6.
CLEAR = 1e-4


@dataclass(frozen=True)
class Decision:
    """The most probable class, or of two classes the event from a threshold on.

    Args:
        classifier: What decides.
        threshold: Probability of the event from which it is decided; ``None`` takes the most probable class.
    """

    classifier: Classifier
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.threshold is None:
            return
        if len(self.classifier.classes) != 2:
            raise ConfigurationError(
                f"a threshold decides between two classes, and the classifier has {len(self.classifier.classes)}",
                remedy="leave it out: the most probable class is decided",
            )
        if not 0 < self.threshold < 1:
            raise ConfigurationError(f"threshold must lie between 0 and 1, got {self.threshold}")

    def logits(self, x: Tensor) -> Tensor:
        """Logits of inputs ``(N, *S)``, finite, as ``(N, K)``.

        Raises:
            ModelError: If one of them is not finite.
        """
        logits = self.classifier.logits(x)
        wrong = ~logits.isfinite().all(1)
        if wrong.any():
            raise ModelError(
                f"the classifier answers {int(wrong.sum())} of {len(x)} inputs that were tried with logits that are not finite",
                remedy="check the weights, and how the model treats values at the ends of its bounds",
            )
        return logits

    def decide(self, logits: Tensor) -> Tensor:
        """The class decided ``(N,)``."""
        if self.threshold is None:
            return logits.argmax(1)
        return (_beyond(logits, self.threshold) >= 0).long()

    def margin(self, logits: Tensor, wanted: Tensor, present: Tensor) -> Tensor:
        """How far beyond the border inputs are, in logits ``(N,)``: above 0 where the wanted class is decided.

        Args:
            logits: Logits ``(N, K)``.
            wanted: The class that is wanted, or `ANY` ``(N,)``.
            present: The class that is decided of the input that is to change ``(N,)``.
        """
        if self.threshold is not None:
            event = torch.where(wanted == ANY, 1 - present, wanted) == 1
            beyond = _beyond(logits, self.threshold)
            return torch.where(event, beyond, -beyond)
        chosen = torch.where(wanted == ANY, present, wanted)[:, None]
        own = logits.gather(1, chosen)[:, 0]
        rest = logits.scatter(1, chosen, -torch.inf).amax(1)
        return torch.where(wanted == ANY, rest - own, own - rest)

    def log_odds(self, logits: Tensor, wanted: Tensor, present: Tensor) -> Tensor:
        """Log-odds of the wanted class, or of the likeliest other one ``(N,)``; see `margin`."""
        others = logits.scatter(1, present[:, None], -torch.inf).argmax(1)
        chosen = torch.where(wanted == ANY, others, wanted)[:, None]
        return logits.gather(1, chosen)[:, 0] - logits.scatter(1, chosen, -torch.inf).logsumexp(1)


def _beyond(logits: Tensor, threshold: float) -> Tensor:
    """Log-odds of the event less those of the threshold ``(N,)``."""
    return logits[:, 1] - logits[:, 0] - log(threshold / (1 - threshold))
