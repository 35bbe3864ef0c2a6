"""Choices: what of each room stands in the body of a report; all else is in its appendix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate

from audit.evidence import Figure
from audit.report.contents import Contents
from audit.report.pdf_letters import width
from audit.report.wording import entry_of
from classifier.metric import Metric

#: Rooms that have a part of the body, in its order.
ROOMS = ("data", "performance", "explanation", "robustness", "privacy", "fairness")


@dataclass(frozen=True)
class Choice:
    """A metric that is shown: of which of its measurements, and of how many of these at most."""

    name: str
    most: int = 1
    where: Mapping[str, str] = field(default_factory=dict)


#: The numbers of each room, the weightiest first.
NUMBERS: Mapping[str, tuple[Choice, ...]] = {
    "data": (
        Choice("data.rows"),
        Choice("data.smallest_class"),
        Choice("data.duplicates_across_splits"),
        Choice("data.missing_values"),
        Choice("data.rows_outside_bounds"),
        Choice("data.label_noise"),
        Choice("data.label_disagreement"),
        Choice("data.suspected_labels"),
    ),
    "performance": (
        Choice("performance.accuracy"),
        Choice("performance.balanced_accuracy"),
        Choice("performance.roc_auc"),
        Choice("performance.calibration_gap"),
        Choice("performance.brier"),
        Choice("performance.log_loss"),
        Choice("performance.approval_rate"),
        Choice("performance.bad_rate_among_approved"),
        Choice("performance.gain_over_majority"),
        Choice("performance.learned_p_value"),
        Choice("performance.generalisation_gap"),
        Choice("performance.compression_agreement"),
        Choice("performance.compression_accuracy_change"),
    ),
    "explanation": (Choice("explanation.completeness_error", 2), Choice("explanation.agreement", 2)),
    "robustness": (
        Choice("robustness.clean_accuracy"),
        Choice("robustness.accuracy", 3),
        Choice("robustness.certified_accuracy", 2),
        Choice("robustness.text_accuracy", 2),
        Choice("robustness.worst_corruption_accuracy"),
        Choice("robustness.mean_corruption_accuracy", where={"corruption": "all"}),
        Choice("robustness.single_feature_share", where={"features": "any"}),
        Choice("robustness.transfer_accuracy"),
        Choice("robustness.ood_fpr_at_95_tpr", where={"distance": "far", "score": "softmax"}),
        Choice("robustness.trigger_anomaly"),
    ),
    "privacy": (Choice("privacy.membership_auc", 2), Choice("privacy.membership_tpr", 3)),
    "fairness": (
        Choice("fairness.selection_ratio", 4),
        Choice("fairness.equal_opportunity_difference", 4),
        Choice("fairness.accuracy_gap", 4),
    ),
}
#: Rows of numbers that a room has place for.
MOST_NUMBERS = {"data": 8, "performance": 13, "explanation": 8, "robustness": 10, "privacy": 8, "fairness": 12}
#: The pictures of each room: of each list, the first that there is and that no list before it took.
PICTURES: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "data": (),
    "performance": (("performance.calibration.reliability",), ("performance.learning.loss_curves",)),
    "explanation": (
        (
            "explanation.attribution.importance",
            "explanation.attribution.words",
            "explanation.attribution.image",
            "explanation.attribution.parts",
        ),
    ),
    "robustness": (
        (
            "robustness.bounds.sandwich_valid",
            "robustness.bounds.sandwich_any",
            "robustness.attack.accuracy_against_eps",
            "robustness.text_edits.accuracy_against_budget",
            "robustness.distance.accuracy_against_eps_linf",
            "robustness.corruptions.accuracy_against_severity",
        ),
    ),
    "privacy": (("privacy.membership.membership_roc",),),
    "fairness": (("fairness.groups.approval_by",), ("fairness.groups.approval_by",)),
}
# Pictures that are as high as they have rows; the rows that one may have, and the lines of all those of a room.
_TALL, _MOST_ROWS, _MOST_LINES = frozenset({"intervals", "waterfall"}), 12, 30
# Letters of a line, and the lines that a row has at most.
_LINE, _MOST_OF_ROW = 32, 3


def chosen_numbers(contents: Contents, room: str) -> dict[str, list[Metric]]:
    """The numbers of a room for the body, as many as there is place for: those that decided a rule, the gravest first, then the table's."""
    measured = [m for evidence in contents.evidence(room) if evidence.not_run is None for m in evidence.metrics if m.value is not None]
    judged = _fitting(judged_numbers(contents, room), MOST_NUMBERS[room])
    choices = {choice.name: choice for choice in NUMBERS[room]}
    left = MOST_NUMBERS[room] - sum(map(_rows, judged))
    chosen: dict[str, list[Metric]] = {}
    for name in dict.fromkeys((*choices, *(metric.name for metric in judged))):
        choice = choices.get(name, Choice(name, 0))
        decided = [metric for metric in judged if metric.name == name]
        others = [m for m in measured if m.name == name and m not in decided and choice.where.items() <= m.where.items()]
        more = _fitting(_spread(others, max(0, min(choice.most - len(decided), left))), left)
        left -= sum(map(_rows, more))
        if decided or more:
            chosen[name] = [metric for metric in measured if metric in decided or metric in more]
    return chosen


def judged_numbers(contents: Contents, room: str) -> list[Metric]:
    """The numbers of a room that decided a rule, those of the gravest finding first."""
    decided = [finding.metric for finding in contents.ranked()]
    measured = (m for evidence in contents.evidence(room) if evidence.not_run is None for m in evidence.metrics if m.value is not None)
    return sorted((metric for metric in measured if metric in decided), key=decided.index)


def chosen_figures(contents: Contents, room: str) -> list[tuple[str, Figure]]:
    """The pictures of a room for the body, each with the check that it is from; one of many rows is for the appendix."""
    drawn = [one for one in _figures(contents, room) if one[1].kind not in _TALL or len(one[1].labels) <= _MOST_ROWS]
    chosen: list[tuple[str, Figure]] = []
    for names in PICTURES[room]:
        fitting = (one for name in names for one in drawn if f"{one[0]}.{entry_of(one[1])}" == name and one not in chosen)
        chosen += [one for one in [next(fitting, None)] if one is not None]
    lines = accumulate(_lines(figure) for _, figure in chosen)
    return [one for one, line in zip(chosen, lines, strict=True) if line <= _MOST_LINES]


def _rows(metric: Metric) -> int:
    """Rows that a number takes; one that is not to be relied on has a remark beneath."""
    return 2 if metric.unreliable else 1


def _fitting(metrics: list[Metric], rows: int) -> list[Metric]:
    """The first of them, as many as so many rows hold."""
    taken = accumulate(map(_rows, metrics))
    return [metric for metric, row in zip(metrics, taken, strict=True) if row <= rows]


def _lines(figure: Figure) -> int:
    """Lines of a picture that is as high as it has rows, where a long name takes several."""
    return sum(min(_MOST_OF_ROW, 1 + width(label) // _LINE) for label in figure.labels) if figure.kind in _TALL else 0


def _figures(contents: Contents, room: str) -> Iterator[tuple[str, Figure]]:
    for evidence in contents.evidence(room):
        for figure in evidence.figures:
            yield evidence.check, figure


def _spread(metrics: list[Metric], most: int) -> list[Metric]:
    """At most so many of them, from the first to the last."""
    if most >= len(metrics):
        return metrics
    if most < 2:
        return metrics[:most]
    return [metrics[round(index * (len(metrics) - 1) / (most - 1))] for index in range(most)]
