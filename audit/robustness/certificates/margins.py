"""Lower bounds of margins: by how much the logit of a row's label stays above each other one, whatever the input becomes."""

from __future__ import annotations

import math
from dataclasses import replace
from math import prod
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from audit.robustness.certificates.alpha import best_least
from audit.robustness.certificates.crown import Bounded, bounded
from audit.robustness.certificates.network import Network
from audit.robustness.certificates.refusal import not_certifiable
from audit.robustness.certificates.region import Region
from audit.robustness.certificates.rounding import rounding_error
from audit.robustness.certificates.tracing import traced
from audit.robustness.labelled_rows import require_labelled
from classifier.adapters._answers import Ordered
from classifier.chunks import chunk_size, in_chunks
from classifier.classifier import Classifier
from classifier.errors import ConfigurationError, DataError, NotApplicableError
from classifier.perturbation import Norm

Relaxation = Literal["ibp", "crown_ibp", "crown", "alpha_crown"]

# Margins count only where they are above this many times what single precision was seen to change, and this share of the logits.
_SLACK, _SHARE = 16.0, 4e-6
# By how much of their size the logits of operation after operation may differ from the classifier's own.
_ALIKE = 1e-3
_ROUNDED = 1e-6


def margin_lower_bounds(
    classifier: Classifier,
    inputs: Tensor,
    labels: Tensor,
    *,
    eps: float,
    norm: Norm = "Linf",
    method: Relaxation = "crown",
    threshold: float = 0.5,
    constrained: bool = False,
    steps: int = 20,
) -> Tensor:
    """Bounds that ``z_y - z_k`` is never below, for each class k, where z are the logits that decide ``(N, K)``.

    All is computed in double precision, of the network's own operations. The classifier computes in single precision:
    what `rounding_error` says of that is taken off each bound, or more: its logits are compared at the row itself and at
    two corners, and 16 times the largest difference, and at least 4e-6 of the logits' size, is taken off where that is more.
    That covers its rounding, though it does not prove a bound of it.

    Args:
        classifier: A network; a black box has no operations to follow.
        inputs: Rows ``(N, *S)``.
        labels: Their classes ``(N,)``.
        eps: Radius, as a fraction of each feature's range.
        norm: ``"Linf"``, ``"L2"`` or ``"L1"``; balls are cut by the schema's bounds.
        method: ``"ibp"``: intervals (Gowal et al., 2018, arXiv:1810.12715); ``"crown_ibp"``: linear bounds between intervals
            (Zhang et al., 2020, arXiv:1906.06316); ``"crown"``: linear bounds throughout (Zhang et al., 2018,
            arXiv:1811.00866); ``"alpha_crown"``: with the lines of undecided corners chosen by gradient.
        threshold: Of two classes, the probability of the event at which it is presumed.
        constrained: Whether immutable features stay, and directional ones move their way only.
        steps: Gradient steps of ``"alpha_crown"``.

    Returns:
        Bounds, in calibrated logits, infinite at the label itself; in double precision, on the processor.

    Raises:
        NotApplicableError: If the network cannot be bounded, with the layer: "not certifiable: LayerNorm at block.1".
        DataError: If there are no rows, a label is no class, or a value is not finite.
        ConfigurationError: If an option cannot be.
    """
    _require_options(classifier, eps, norm, method, threshold, steps)
    require_rows(classifier, inputs, labels)
    network, answers = network_of(classifier)
    x, y = inputs.to(classifier.device), labels.to(classifier.device)
    # Each row brings a function for each other class, with as many coefficients as the widest step has elements.
    width = max(prod(step.shape) for step in network.steps) * len(answers)

    def of_rows(rows: Tensor) -> Tensor:
        region = Region.around(x[rows], classifier.schema, eps=eps, norm=norm, constrained=constrained)
        known = bounded(network, region, relax=method != "ibp", tighten=method in ("crown", "alpha_crown"))
        raw = _raw_margins(known, answers, y[rows], method, steps)
        slack = _slack(classifier, known, answers)
        return _decided(classifier, raw - slack[:, None], y[rows], threshold)

    with torch.no_grad():
        return in_chunks(of_rows, torch.arange(len(x), device=x.device), size=chunk_size((width,))).cpu()


def network_of(classifier: Classifier) -> tuple[Network, Tensor]:
    """The operations of a classifier, and the logits ``(K, T)`` that each of its T outputs counts for.

    Raises:
        NotApplicableError: If it is a black box, its inputs are discrete, or an operation cannot be bounded.
    """
    if not classifier.differentiable or classifier.module is None:
        raise not_certifiable(classifier.why_no_gradients)
    module: nn.Module = classifier.module
    order = list(range(len(classifier.classes)))
    if isinstance(module, Ordered):
        if module.probabilities:
            raise not_certifiable("the network answers with probabilities, and bounds need its logits")
        if module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module):
            raise not_certifiable("a hook on the whole network")
        order, module = module.order, module.model
    network = traced(module, classifier.schema.shape)
    outputs = prod(network.steps[-1].shape)
    answers = torch.eye(outputs, dtype=torch.float64, device=classifier.device)
    if outputs == 1:
        answers = torch.tensor([[-0.5], [0.5]], dtype=torch.float64, device=classifier.device)
    return network, answers[order]


def require_rows(classifier: Classifier, inputs: Tensor, labels: Tensor) -> None:
    """Refuse rows and labels that cannot be certified.

    Raises:
        DataError: If there are none, a label is no class, or an input is not finite.
    """
    require_labelled("a certificate", len(inputs), labels, classifier)
    if tuple(inputs.shape[1:]) != classifier.schema.shape:
        raise DataError(f"rows must have the shape {classifier.schema.shape}, got {tuple(inputs.shape[1:])}")
    if not inputs.isfinite().all():
        raise DataError("rows must be finite, got values that are not", remedy="leave out rows with missing values")


def _require_options(classifier: Classifier, eps: float, norm: str, method: str, threshold: float, steps: int) -> None:
    for name, value, kind in (("norm", norm, Norm), ("method", method, Relaxation)):
        if value not in get_args(kind):
            raise ConfigurationError(f"{name} must be one of {', '.join(get_args(kind))}, got {value!r}")
    if not 0 <= eps < math.inf:
        raise ConfigurationError(f"eps must be at least 0 and finite, got {eps}")
    if not 0 < threshold < 1:
        raise ConfigurationError(f"threshold must be above 0 and below 1, got {threshold}")
    if steps < 0:
        raise ConfigurationError(f"steps must be at least 0, got {steps}")


def _raw_margins(known: Bounded, answers: Tensor, y: Tensor, method: Relaxation, steps: int) -> Tensor:
    """Lower bounds of the margins of the network's own answers ``(N, K)``, infinite at the label."""
    network = known.network
    last, classes = len(network.steps) - 1, len(answers)
    pulled, constants = network.pull(last, answers.reshape(classes, *network.steps[last].shape))
    others = torch.arange(classes, device=y.device).expand(len(y), -1)
    others = others[others != y[:, None]].reshape(len(y), classes - 1)
    rows, other = torch.arange(len(y), device=y.device).repeat_interleave(classes - 1), others.flatten()
    label = y[rows]
    functions = {at: part[label] - part[other] for at, part in pulled.items()}
    added = constants[label] - constants[other]
    # What the boxes alone tell: where they are wide, lines may tell less.
    least = replace(known, relaxed={}).least(functions, added, rows)
    if method == "alpha_crown":
        least = torch.maximum(least, best_least(known, functions, added, rows, steps=steps))
    elif method != "ibp":
        least = torch.maximum(least, known.least(functions, added, rows))
    margins = least.new_full((len(y), classes), torch.inf)
    return margins.scatter(1, others, least.reshape(len(y), -1))


def _slack(classifier: Classifier, known: Bounded, answers: Tensor) -> Tensor:
    """What is taken off each row's margins, for the rounding of the classifier's own logits ``(N,)``."""
    assert classifier.module is not None
    network, region = known.network, known.region
    # Where errors cancel at the points that are looked at, they may not elsewhere.
    rounded = 2 * (rounding_error(network, known.boxes) @ answers.abs().T).amax(1)
    most = rounded
    for x in (region.centre, region.lower, region.upper):
        single = x.float()
        own = classifier.module(single).double().reshape(len(single), -1)
        own = own if own.shape[1] > 1 else torch.cat([-own, own], 1) / 2
        if not own.isfinite().all():
            raise DataError("the classifier answers with values that are not finite", remedy="check its weights and its inputs")
        followed = network(single) @ answers.T
        apart, size = (own - followed).abs().amax(1), 1 + followed.abs().amax(1)
        if (apart > torch.maximum(rounded, _ALIKE * size)).any():
            raise NotApplicableError(
                "not certifiable: the network's operations, one after the other, answer otherwise than the network; "
                f"logits differ by {float(apart.max()):.2g}"
            )
        most = torch.maximum(most, _SLACK * apart + _SHARE * size)
    return most


def _decided(classifier: Classifier, margins: Tensor, y: Tensor, threshold: float) -> Tensor:
    """Bounds of margins after calibration, and from where the decision is made ``(N, K)``."""
    calibration, classes = classifier.description.calibration, len(classifier.classes)
    if classes > 2:
        if calibration is None:
            return margins
        bias = torch.tensor(calibration.bias or (0.0,) * classes).to(margins)
        return _rounded(margins / calibration.temperature + bias[y][:, None] - bias, bias.abs().amax())
    # Each calibration of two classes rises with the log-odds, and the bound of these is that of the margin, by its sign.
    sign = 2 * y.double() - 1
    odds = sign * margins.gather(1, 1 - y[:, None])[:, 0]
    if calibration is not None:
        scaled = calibration(torch.stack([-odds / 2, odds / 2], 1))
        odds = scaled[:, 1] - scaled[:, 0]
    shift = torch.tensor(math.log((1 - threshold) / threshold)).to(odds)
    least = _rounded(sign * (odds + shift), shift.abs())
    return margins.scatter(1, 1 - y[:, None], least[:, None])


def _rounded(margins: Tensor, size: Tensor) -> Tensor:
    """Less what single precision may lose where numbers of some size are added."""
    return margins - _ROUNDED * (margins.abs() + size)
