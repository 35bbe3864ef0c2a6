"""What a decision should not hang on, and what should turn it (Ribeiro et al., 2020, arXiv:2005.04118)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from audit.robustness.texts.deciding import Decider
from audit.robustness.texts.rewriting import REWRITINGS
from audit.robustness.texts.strings import encoded, require_texts, strings_of
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, DataError
from classifier.metric import Metric
from classifier.seeds import Seed
from classifier.statistics import proportion

_TEXTS = 512


@dataclass(frozen=True)
class Invariance:
    """What rewriting texts did to their decisions.

    Args:
        unchanged: Share of the texts that count whose decision no variant turned; an upper bound, since other
            variants may turn more. Not measured on too few texts.
        should_stay: Whether the decision should stay.
        found: Which texts hold what is rewritten ``(N,)``, bool.
        tested: Which of them count: the classifier reads at least one variant otherwise than the text ``(N,)``, bool.
        turned: Which of these a variant turned ``(N,)``, bool.
        texts: The texts as strings.
        variants: For each text that counts a variant, where there is one that turned it; else empty.
    """

    unchanged: Metric
    should_stay: bool
    found: Tensor
    tested: Tensor
    turned: Tensor
    texts: tuple[str, ...]
    variants: tuple[str, ...]


def measure_invariance(
    classifier: Classifier,
    texts: Sequence[str] | Tensor,
    test: str,
    *,
    count: int = 5,
    least: int = 30,
    threshold: float = 0.5,
    seed: int = 0,
) -> Invariance:
    """Rewrite texts, and see whether what is decided of them stays.

    No labels are asked: a decision is compared with the decision of the text as it was.

    Args:
        classifier: What is asked; only its probabilities are used.
        texts: Strings; or encoded texts ``(N, T)``, which are written out first, and left out where that is not read alike.
        test: ``"names"``, ``"numbers"`` or ``"negation"``, a file of ``audit/robustness/texts/rewritings``.
        count: Variants of a text, at most.
        least: With fewer texts that count, nothing is said.
        threshold: Of two classes, the probability of the event at which it is presumed.
        seed: Where the choice of variants comes from; it depends on the text alone.

    Raises:
        NotApplicableError: If the classifier takes no texts.
        DataError: If there is no text, or the classifier's answer is not finite.
        ConfigurationError: If there is no such test, or a number is below 1.
    """
    require_texts(classifier)
    if count < 1 or least < 1:
        raise ConfigurationError(f"count and least must be at least 1, got {count} and {least}")
    if len(texts) == 0:
        raise DataError("a test of invariance needs at least one text, got none")
    rewriting, decider, source = REWRITINGS[test](), Decider(classifier, threshold), Seed(seed, ("invariance", test))
    strings, kept = strings_of(classifier.schema, texts)
    found, tested, turned = (torch.zeros(len(strings), dtype=torch.bool) for _ in range(3))
    shown = [""] * len(strings)
    for block in torch.split(kept.nonzero()[:, 0], _TEXTS):
        made = [(row, v) for row in block.tolist() for v in rewriting.variants(strings[row], count, source.child(strings[row]).numpy())]
        if not made:
            continue
        rows = torch.tensor([row for row, _ in made])
        found[rows] = True
        before = encoded(classifier.schema, [strings[row] for row in rows.tolist()])
        after = encoded(classifier.schema, [text for _, text in made])
        seen = (before != after).any(1)
        decided = [decider.presumed(decider.scores(x)) for x in (before, after)]
        other = seen & (decided[0] != decided[1])
        tested[rows[seen]] = True
        turned[rows[other]] = True
        for (row, text), is_seen, turns in reversed(list(zip(made, seen.tolist(), other.tolist(), strict=True))):
            if turns or (is_seen and not turned[row]):
                shown[row] = text
    return Invariance(
        unchanged=_stated(test, (~turned[tested]).numpy(), least, stays=rewriting.should_stay),
        should_stay=rewriting.should_stay,
        found=found,
        tested=tested,
        turned=turned,
        texts=strings,
        variants=tuple(shown),
    )


def _stated(test: str, unchanged: NDArray[np.bool_], least: int, *, stays: bool) -> Metric:
    name = "robustness.invariance" if stays else "robustness.negation_unchanged"
    n = len(unchanged)
    if n < least:
        reason = f"{n} texts hold what the test of {test} rewrites and are then read otherwise, at least {least} are needed"
        return Metric.missing(name, reason, n=n, where={"test": test})
    metric = proportion(name, unchanged, bound="upper" if stays else "estimate", better="higher" if stays else "neither")
    return metric.measured_on(test=test)
