"""Finding: the calls that look for counterfactuals and semifactuals of a batch of inputs, and check what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import torch
from torch import Tensor

from classifier.classifier import Classifier
from classifier.dataset import Dataset
from classifier.errors import AssayError, ConfigurationError, DataError, ModelError, NotApplicableError
from classifier.modality import modality_of
from classifier.seeds import Seed
from explain.counterfactual.decision import ANY, Decision
from explain.counterfactual.effort import Effort, Outcome
from explain.counterfactual.manifold import Manifold
from explain.counterfactual.result import Counterfactuals, Kind
from explain.counterfactual.space import Space
from explain.counterfactual.staying import search_semifactuals
from explain.counterfactual.swapping import search_swaps
from explain.counterfactual.tables import search_table
from explain.output import Target, resolve_target

# Rounding of a value on its way through float32, in units of change.
_ROUNDING = 1e-6


def counterfactuals(
    classifier: Classifier,
    inputs: Tensor,
    *,
    target: Target = None,
    count: int = 3,
    seed: int = 0,
    data: Dataset | Tensor | None = None,
    threshold: float | None = None,
    fixed: Sequence[str] = (),
    weights: Mapping[str, float] | None = None,
    sparsity: float = 0.05,
    diversity: float = 1.0,
    plausible: float = 0.0,
    rounded: bool = True,
    evaluations: int = 10_000,
    progress: bool = True,
) -> Counterfactuals:
    """Find the smallest changes that flip each decision, several and unlike each other, each checked by prediction.

    Of a table, immutable features stay, directional ones move their way only, whole numbers stay whole, one category
    replaces another, and the schema's relations hold. Of another modality the fewest players are sought (patches,
    stretches, tokens, nodes) that flip the decision when they are left out, or replaced by those of a real case.
    A search stops when its evaluations are used up or it finds nothing better, never by the clock.

    Args:
        classifier: What decides; it needs no gradients.
        inputs: Encoded inputs ``(N, *S)``.
        target: The class that is wanted, as index or name, or an index for each input. By default any other
            than the one decided.
        count: How many to find for an input, at most.
        seed: Decides which cases stand for many, and what random rows are tried.
        data: Real cases, such as the training rows: where a search starts from, and what is plausible.
        threshold: Of two classes, the probability of the event from which it is decided; by default the most probable class is.
        fixed: Features that stay, beside those that the schema says cannot change.
        weights: Of a table, what a change of a feature costs beside others; 1 where nothing is said.
        sparsity: Of a table, what each changed feature costs beside the distance, in units of change: 0 seeks the least sum of
            changes, 1 the fewest features.
        diversity: Of a table, how much one that changes the same features as another is put back; 0 not at all.
        plausible: Of a table, the least plausibility that is asked for, 0 to 1; it needs `data`.
        rounded: Of a table, whether continuous numbers are rounded, as far as the decision allows; what is told is what was tried, always.
        evaluations: Predictions that an input may take.
        progress: Whether to show a bar.

    Raises:
        ConfigurationError: If an option is impossible, or an input has the class that is wanted already.
        DataError: If inputs or data are not finite, or an input is not valid.
        ModelError: If the classifier answers with values that are not finite, or otherwise to the same input.
        NotApplicableError: If nothing may change.
    """
    if count < 1:
        raise ConfigurationError(f"count must be at least 1, got {count}")
    effort = Effort(
        fixed=_names(fixed), weights=dict(weights or {}), sparsity=sparsity, diversity=diversity, plausible=plausible,
        rounded=rounded, evaluations=evaluations,
    )  # fmt: skip
    if classifier.schema.modality != "tabular":
        _require_default(classifier, effort)
    x, decision = _inputs(classifier, inputs, "inputs"), Decision(classifier, threshold)
    decided = decision.decide(decision.logits(x))
    wanted = _wanted(classifier, x, target, decided)
    cases = _cases(classifier, data)
    if plausible and cases is None:
        raise ConfigurationError(
            f"plausible={plausible} needs rows of a table to compare with", remedy="give the training rows as data, or leave plausible out"
        )
    _require_change(classifier, effort.fixed)
    stream = Seed(seed, ("explain", "counterfactuals"))
    if classifier.schema.modality != "tabular":
        labels = None if cases is None else decision.decide(decision.logits(cases))
        outcome = search_swaps(decision, x, wanted, count=count, effort=effort, data=cases, decided=labels, progress=progress)
        return _checked(decision, x, wanted, outcome, None, "counterfactual", effort, seed)
    manifold = None if cases is None else _manifold(decision, cases, stream)
    outcome = search_table(
        decision, x, wanted, count=count, effort=effort, data=cases, manifold=manifold, seed=stream, progress=progress
    )  # fmt: skip
    return _checked(decision, x, wanted, outcome, manifold, "counterfactual", effort, seed)


def semifactuals(
    classifier: Classifier,
    inputs: Tensor,
    *,
    count: int = 3,
    seed: int = 0,
    data: Dataset | Tensor | None = None,
    threshold: float | None = None,
    fixed: Sequence[str] = (),
    evaluations: int = 10_000,
    progress: bool = True,
) -> Counterfactuals:
    """Find how far single features of a row could go towards another decision without reaching it: "even if ..., still ...".

    Each is the last value before the decision would flip, or the end of the feature's range; those that go far and
    near the border come first. Only changes towards the border count: one that makes the decision surer says nothing (Kenny & Keane, 2021).

    Args:
        classifier: What decides, of rows of a table.
        inputs: Encoded rows ``(N, D)``.
        count: How many features for a row, at most.
        seed: Decides which cases stand for many.
        data: Real cases: they tell the range of numbers without bounds, and what is plausible.
        threshold: See :func:`counterfactuals`.
        fixed: Features that stay.
        evaluations: Predictions that a row may take.
        progress: Whether to show a bar.

    Raises:
        NotApplicableError: If the inputs are no rows of a table.
        ConfigurationError: See :func:`counterfactuals`, as for the other errors.
    """
    if count < 1:
        raise ConfigurationError(f"count must be at least 1, got {count}")
    if classifier.schema.modality != "tabular":
        raise NotApplicableError(
            f"semifactuals are for rows of a table, and these inputs are of modality {classifier.schema.modality}",
            remedy="counterfactuals(...) finds the fewest parts that flip the decision",
        )
    effort = Effort(fixed=_names(fixed), evaluations=evaluations)
    x, decision = _inputs(classifier, inputs, "inputs"), Decision(classifier, threshold)
    decided, cases = decision.decide(decision.logits(x)), _cases(classifier, data)
    _require_change(classifier, effort.fixed)
    manifold = None if cases is None else _manifold(decision, cases, Seed(seed, ("explain", "counterfactuals")))
    outcome = search_semifactuals(decision, x, decided, count=count, effort=effort, data=cases, progress=progress)
    return _checked(decision, x, decided, outcome, manifold, "semifactual", effort, seed)


def _checked(
    decision: Decision, x: Tensor, wanted: Tensor, outcome: Outcome, manifold: Manifold | None, kind: Kind, effort: Effort, seed: int
) -> Counterfactuals:
    """What was found, predicted once more and held to the schema."""
    classifier, row = decision.classifier, outcome.row
    before, after = decision.logits(x), decision.logits(outcome.z)
    present, reached = decision.decide(before), decision.decide(after)
    asked = wanted[row]
    right = torch.where(asked == ANY, reached != present[row], reached == asked)
    if (outcome.flips & ~right).any():
        raise ModelError(
            f"the classifier decides {int((outcome.flips & ~right).sum())} of {len(row)} inputs otherwise when it is asked again",
            remedy="it must give the same answer to the same input: put it in evaluation mode, and fix its seed",
        )
    modality, schema = modality_of(classifier.schema), classifier.schema
    _require_kept(modality.valid(outcome.z[outcome.flips]), "valid")
    distance, changed = outcome.swapped.double().mean(1), outcome.swapped
    plausibility = torch.full((len(row),), torch.nan, dtype=torch.float64, device=x.device)
    if schema.modality == "tabular":
        space = Space(schema, x, fixed=effort.fixed, weights={}, sparsity=0.0, data=None)
        slack = _ROUNDING * space.scale
        low, high = schema.bounds[0].to(x), schema.bounds[1].to(x)
        fall, rise = (move.to(x.device) for move in modality.movable)
        lower = torch.where(fall, torch.minimum(low, x), x)[row] - slack
        upper = torch.where(rise, torch.maximum(high, x), x)[row] + slack
        _require_kept(((outcome.z >= lower) & (outcome.z <= upper)).all(1), "within its bounds and directions")
        stays = torch.tensor([not f.mutable or f.name in effort.fixed for f in schema.features], device=x.device)
        _require_kept(~(space.changed(outcome.z, row) & stays).any(1), "the same in what may not change")
        distance, changed = space.distance(outcome.z, row).double().sum(1), space.changed(outcome.z, row)
        if manifold is not None:
            plausibility = manifold.plausibility(outcome.z, reached).double()
    else:
        distance = changed.double().sum(1) / modality.present(x).sum(1).clamp_min(1)[row]
    cpu = {
        "inputs": x, "decided": present, "wanted": wanted, "predictions": before.softmax(1), "evaluations": outcome.evaluations, "row": row,
        "values": outcome.z, "succeeds": outcome.flips, "changed_decided": reached, "changed_predictions": after.softmax(1),
        "distance": distance, "changed": changed, "plausibility": plausibility, "donor": outcome.donor,
    }  # fmt: skip
    return Counterfactuals(
        kind=kind, **{name: value.detach().cpu() for name, value in cpu.items()}, options=asdict(effort), threshold=decision.threshold,
        seed=seed, schema=schema, classes=classifier.classes, classifier_digest=classifier.digest,
    )  # fmt: skip


def _require_kept(kept: Tensor, what: str) -> None:
    if not kept.all():
        raise AssayError(f"{int((~kept).sum())} of {len(kept)} changed inputs are not {what}", remedy="report this: the search is wrong")


def _inputs(classifier: Classifier, values: object, name: str) -> Tensor:
    """A batch of finite inputs, on the classifier's device."""
    shape, modality = classifier.schema.shape, modality_of(classifier.schema)
    if not isinstance(values, Tensor):
        raise ConfigurationError(
            f"{name} must be a tensor, got {type(values).__name__}", remedy="encode a table with classifier.schema.encode(frame)"
        )
    if values.dim() != len(shape) + 1 or tuple(values.shape[1:]) != shape or len(values) == 0:
        wanted = ", ".join(("N", *map(str, shape)))
        raise ConfigurationError(
            f"{name} must be a batch ({wanted}) of at least one, got {tuple(values.shape)}", remedy="a single input x is the batch x[None]"
        )
    if not values.isfinite().all():
        wrong = int((~values.isfinite()).sum())
        raise DataError(f"{name} must be finite, got {wrong} values that are not", remedy="fill or drop missing values first")
    return values.detach().to(classifier.device, modality.dtype)


def _cases(classifier: Classifier, data: Dataset | Tensor | None) -> Tensor | None:
    """Valid real cases ``(B, *S)``."""
    if data is None:
        return None
    if isinstance(data, Dataset) and data.schema != classifier.schema:
        raise ConfigurationError("the data have another schema than the classifier", remedy="read them with schema=classifier.schema")
    cases = _inputs(classifier, data.inputs if isinstance(data, Dataset) else data, "data")
    valid = modality_of(classifier.schema).valid(cases)
    if not valid.any():
        raise DataError(f"none of the {len(cases)} rows of data is valid", remedy="encode them with classifier.schema.encode(frame)")
    return cases


def _manifold(decision: Decision, cases: Tensor, seed: Seed) -> Manifold:
    valid = modality_of(decision.classifier.schema).valid(cases)
    space = Space(decision.classifier.schema, cases[valid][:1], fixed=(), weights={}, sparsity=0.0, data=None)
    order = torch.randperm(len(cases), generator=seed.child("cases").torch()).to(cases.device)
    return Manifold(cases, decision.decide(decision.logits(cases)), space.unit, order)


def _wanted(classifier: Classifier, x: Tensor, target: Target, decided: Tensor) -> Tensor:
    if target is None:
        # Of two classes there is one other.
        return 1 - decided if len(classifier.classes) == 2 else torch.full_like(decided, ANY)
    wanted = resolve_target(classifier, x, target)
    same = (wanted == decided).nonzero()[:, 0].tolist()
    if same:
        raise ConfigurationError(
            f"{len(same)} of {len(x)} inputs are decided {classifier.classes[int(decided[same[0]])]!r} already, first in row {same[0]}",
            remedy="leave them out, or ask for another class",
        )
    return wanted


def _names(fixed: Sequence[str]) -> tuple[str, ...]:
    if isinstance(fixed, str):
        raise ConfigurationError(f"fixed must be a list of names, got {fixed!r}", remedy=f"fixed=[{fixed!r}]")
    return tuple(fixed)


def _require_default(classifier: Classifier, effort: Effort) -> None:
    """Refuse what would change nothing."""
    for name in ("weights", "sparsity", "diversity", "plausible", "rounded"):
        if getattr(effort, name) != getattr(Effort(), name):
            raise ConfigurationError(
                f"{name}={getattr(effort, name)} is for rows of a table, and these inputs are of modality {classifier.schema.modality}",
                remedy="leave it out",
            )


def _require_change(classifier: Classifier, fixed: tuple[str, ...]) -> None:
    schema = classifier.schema
    for name in fixed:
        _ = schema[name]
    if all(not feature.mutable or feature.name in fixed for feature in schema.features):
        raise NotApplicableError(
            f"no feature may change: {', '.join(schema.names)}", remedy="state mutable = true of a feature, or name fewer in fixed"
        )
