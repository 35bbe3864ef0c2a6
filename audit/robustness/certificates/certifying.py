"""Certified robustness: which rows keep a right decision, whatever they become within eps."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from audit.robustness.certificates.margins import Relaxation, margin_lower_bounds, require_rows
from audit.robustness.forward import decided, decided_logits
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, DataError
from classifier.perturbation import Norm

Method = Literal["auto", "ibp", "crown_ibp", "crown", "alpha_crown", "exact"]

_CHEAPEST_FIRST: tuple[Relaxation, ...] = ("ibp", "crown_ibp", "crown", "alpha_crown")


def certify(
    classifier: Classifier,
    inputs: Tensor,
    labels: Tensor,
    *,
    eps: float,
    norm: Norm = "Linf",
    method: Method = "crown",
    threshold: float = 0.5,
    constrained: bool = False,
) -> Tensor:
    """Rows that are right, and proven to stay so within `eps` ``(N,)``, bool, on the processor.

    A row that is not certified may still be robust: bounds are sound and not tight. The proof is of the network's
    arithmetic in double precision, with a margin for the rounding of single precision; see `margin_lower_bounds`.

    Args:
        classifier: A network.
        inputs: Rows ``(N, *S)``.
        labels: Their classes ``(N,)``.
        eps: Radius, as a fraction of each feature's range.
        norm: ``"Linf"``, ``"L2"`` or ``"L1"``; balls are cut by the schema's bounds.
        method: One of `margin_lower_bounds`; ``"exact"``, by mixed-integer programming; or ``"auto"``, which tries the
            bounds, the cheapest first, each on the rows that are left.
        threshold: Of two classes, the probability of the event at which it is presumed.
        constrained: Whether immutable features stay, and directional ones move their way only.

    Raises:
        NotApplicableError: If the network cannot be bounded, with the layer: "not certifiable: LayerNorm at block.1".
        DataError: If there are no rows, a label is no class, or a value is not finite.
        ConfigurationError: If an option cannot be.
    """
    if method not in get_args(Method):
        raise ConfigurationError(f"method must be one of {', '.join(get_args(Method))}, got {method!r}")
    require_rows(classifier, inputs, labels)
    if method == "exact":
        from audit.robustness.certificates.exact import exact_robust

        return exact_robust(classifier, inputs, labels, eps=eps, norm=norm, threshold=threshold, constrained=constrained).robust.cpu()
    certified = torch.zeros(len(inputs), dtype=torch.bool)
    left = _right(classifier, inputs, labels, threshold).nonzero()[:, 0]
    for each in _CHEAPEST_FIRST if method == "auto" else (method,):
        # Without rows left, what cannot be bounded is refused all the same.
        rows = left if len(left) else torch.zeros(1, dtype=torch.int64)
        bounds = margin_lower_bounds(
            classifier, inputs[rows], labels[rows], eps=eps, norm=norm, method=each, threshold=threshold, constrained=constrained
        )
        proven = bounds.amin(1) > 0
        if eps == 0:
            # Nothing may change, and the decision has been seen.
            proven = torch.ones_like(proven)
        if len(left) == 0:
            break
        certified[left[proven]] = True
        left = left[~proven]
    return certified


def _right(classifier: Classifier, inputs: Tensor, labels: Tensor, threshold: float) -> Tensor:
    if not 0 < threshold < 1:
        raise ConfigurationError(f"threshold must be above 0 and below 1, got {threshold}")
    logits = decided_logits(classifier, threshold)(inputs).cpu()
    if not logits.isfinite().all():
        raise DataError("the classifier answers with values that are not finite", remedy="check its weights and its inputs")
    return decided(logits) == labels.cpu()
