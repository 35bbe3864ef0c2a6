"""Randomised smoothing: what the majority of decisions under Gaussian noise withstands (Cohen et al., 2019, arXiv:1902.02918)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from audit.robustness.certificates.exact_network import decision_logits
from audit.robustness.forward import decided
from audit.robustness.labelled_rows import require_labelled
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, DataError, NotApplicableError
from classifier.modality import modality_of
from classifier.schema import Schema
from classifier.seeds import Seed
from classifier.statistics import clopper_pearson

ABSTAINED = -1
# Numbers of noise drawn at once: 2**20 floats are 4 MiB. It must not depend on what fits in memory, or the noise would.
_BLOCK = 2**20


@dataclass(frozen=True)
class Smoothed:
    """What the smoothed classifier decides, and how far that holds. It says nothing of the classifier without the noise.

    Args:
        labels: The rows' classes ``(N,)``.
        predicted: Class that most decisions under noise are for ``(N,)``; `ABSTAINED` where no majority is proven.
        radius: L2 radius within which it cannot change, in units of change ``(N,)``; 0 where it abstained.
        base: What the classifier itself decides, without noise ``(N,)``.
        sigma: Standard deviation of the noise, in units of change.
        alpha: Chance at most that a row's radius is too large.
    """

    labels: Tensor
    predicted: Tensor
    radius: Tensor
    base: Tensor
    sigma: float
    alpha: float

    @property
    def abstained(self) -> Tensor:
        """Rows without a proven majority ``(N,)``, bool."""
        return self.predicted == ABSTAINED

    def certified(self, radius: float) -> Tensor:
        """Rows that the smoothed classifier decides rightly within `radius` ``(N,)``, bool."""
        return (self.predicted == self.labels) & (self.radius >= radius)


def smooth(
    classifier: Classifier,
    inputs: Tensor,
    labels: Tensor,
    *,
    sigma: float,
    n0: int = 100,
    n: int = 10_000,
    alpha: float = 0.001,
    threshold: float = 0.5,
    seed: int = 0,
) -> Smoothed:
    """Decide by majority under Gaussian noise, and say how far that decision holds (CERTIFY of section 3.2.2).

    The certificate is of the *smoothed* classifier, the majority under noise, and not of the classifier itself. It asks
    for decisions only. The noise falls on the numbers that may change, as a category is there or not and cannot change by a
    little; so the radius is over changes of those numbers while everything else stays. Noise may leave the bounds of the schema.

    Each row's noise is drawn from its own stream, named by its values, so that neither its neighbours nor the size of a
    chunk changes it.

    Args:
        classifier: Any classifier, also a black box.
        inputs: Rows ``(N, *S)``.
        labels: Their classes ``(N,)``.
        sigma: Standard deviation of the noise, in units of change.
        n0: Draws that choose the class.
        n: Draws that count how often it is decided.
        alpha: Chance at most, for each row, that its radius is too large.
        threshold: Of two classes, the probability of the event at which it is presumed.
        seed: Where the noise comes from.

    Raises:
        NotApplicableError: If nothing in the inputs can change by a little.
        ConfigurationError: If sigma, n0, n, alpha or the threshold is none.
        DataError: If there are no rows, a label is no class, or an answer is not finite.
    """
    _require(classifier, inputs, labels, sigma, n0, n, alpha, threshold)
    spread = sigma * classifier.schema.scale * movable_numbers(classifier.schema)
    if not spread.any():
        raise NotApplicableError("what may change in these inputs is there or not, so noise cannot move it a little")
    decide = _Decide(classifier, spread, threshold)
    chosen, hits = np.zeros(len(inputs), dtype=np.int64), np.zeros(len(inputs), dtype=np.int64)
    for index, x in enumerate(inputs.cpu()):
        stream = Seed(seed, ("smoothing", f"{sigma:g}", hashlib.sha256(x.contiguous().numpy().tobytes()).hexdigest()))
        chosen[index] = decide.counts(x, n0, stream.child("choice")).argmax()
        hits[index] = decide.counts(x, n, stream.child("count"))[chosen[index]]
    # One-sided, so that the lower end alone misses with a chance of alpha.
    least = np.array([clopper_pearson(int(count), n, 1 - 2 * alpha)[0] for count in hits])
    proven = least > 0.5
    radius = np.where(proven, sigma * stats.norm.ppf(np.where(proven, least, 0.5)), 0.0)
    return Smoothed(
        labels=labels.cpu(),
        predicted=torch.from_numpy(np.where(proven, chosen, ABSTAINED)),
        radius=torch.from_numpy(radius),
        base=decide(inputs).cpu(),
        sigma=sigma,
        alpha=alpha,
    )


def movable_numbers(schema: Schema) -> Tensor:
    """Which elements are numbers that may change ``(*S)``, bool."""
    columns = [feature.mutable and feature.kind in ("continuous", "integer") for feature in schema.features for _ in range(feature.width)]
    return modality_of(schema).lay(torch.tensor(columns))


@dataclass(frozen=True)
class _Decide:
    """Decisions of the classifier, and how they fall under noise."""

    classifier: Classifier
    spread: Tensor
    threshold: float

    def __call__(self, x: Tensor) -> Tensor:
        logits = decision_logits(self.classifier, x, threshold=self.threshold)
        if not logits.isfinite().all():
            raise DataError("the classifier answers with values that are not finite", remedy="check its weights and its inputs under noise")
        return decided(logits)

    def counts(self, x: Tensor, draws: int, stream: Seed) -> NDArray[np.int64]:
        """How many of so many draws of noise around one input ``(*S)`` are decided for each class ``(K,)``."""
        # Only what moves is drawn: of a table with many categories that is a small part.
        spread = self.spread.flatten()
        moving = spread.nonzero()[:, 0]
        generator, block = stream.torch(), max(1, _BLOCK // x.numel())
        counts = torch.zeros(len(self.classifier.classes), dtype=torch.int64)
        for start in range(0, draws, block):
            noise = torch.randn((min(block, draws - start), len(moving)), generator=generator)
            batch = x.flatten().repeat(len(noise), 1)
            batch[:, moving] += noise * spread[moving]
            counts += torch.bincount(self(batch.reshape(-1, *x.shape)).cpu(), minlength=len(counts))
        return counts.numpy()


def _require(classifier: Classifier, x: Tensor, y: Tensor, sigma: float, n0: int, n: int, alpha: float, threshold: float) -> None:
    if not modality_of(classifier.schema).continuous:
        raise NotApplicableError(f"the inputs of a {classifier.schema.modality} classifier are discrete, and noise needs numbers")
    if not 0 < sigma < float("inf"):
        raise ConfigurationError(f"sigma must be above 0 and finite, got {sigma}")
    if n0 < 1 or n < 1:
        raise ConfigurationError(f"n0 and n must be at least 1, got {n0} and {n}")
    if not 0 < alpha < 0.5:
        raise ConfigurationError(f"alpha must lie between 0 and 0.5, got {alpha}")
    if not 0 < threshold < 1:
        raise ConfigurationError(f"threshold must lie between 0 and 1, got {threshold}")
    require_labelled("smoothing", len(x), y, classifier)
