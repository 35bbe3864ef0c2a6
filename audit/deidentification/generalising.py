"""Generalisation: the search for the levels at which a plan's requirements hold, and what is released there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.deidentification.classes import Classes
from audit.deidentification.lattice import Judged, Lattice, find_levels
from audit.deidentification.losses import LOSSES, column_loss, combined, table_loss
from audit.deidentification.plan import Plan
from audit.deidentification.quasi_identifiers import QuasiIdentifiers
from audit.deidentification.requirements import Requirements
from audit.deidentification.risk import class_losses, table_measures
from audit.deidentification.sensitive_columns import read_persons, read_sensitive
from classifier.errors import ConfigurationError
from classifier.metric import Metric


@dataclass(frozen=True)
class Generalised:
    """What generalising gave.

    Args:
        columns: The quasi-identifiers as they are released, for all rows.
        left_out: Rows that are not released ``(N,)``.
        levels: The level of each quasi-identifier.
        steps: What its levels are called.
        before: Measures of the table with every quasi-identifier at level 0.
        after: Measures of the rows that are released.
        loss: What was lost.
        nodes: Combinations of levels that there were.
        judged: Combinations that were looked at.
    """

    columns: dict[str, Any]
    left_out: NDArray[np.bool_]
    levels: dict[str, int]
    steps: dict[str, tuple[str, ...]]
    before: tuple[Metric, ...]
    after: tuple[Metric, ...]
    loss: tuple[Metric, ...]
    nodes: int
    judged: int


def generalise(frame: pd.DataFrame, plan: Plan, released: Mapping[str, Any]) -> Generalised:
    """Find the levels of least loss, and take them.

    Args:
        frame: The table as it was read.
        plan: What is required.
        released: The other columns as they are released, of which some may be quasi-identifiers or sensitive.

    Raises:
        ConfigurationError: If nothing holds; the message says what would.
        DataError: If a cell does not fit.
    """
    k, rows = plan.k or 1, len(frame)
    sensitive = [read_sensitive(name, plan.columns[name], pd.Series(released[name])) for name in plan.sensitive]
    if plan.person is not None:
        sensitive.append(read_persons(plan.person, k, frame[plan.person]))
    requirements = Requirements(k, tuple(column for column, _ in sensitive))
    quasi = QuasiIdentifiers.of({name: pd.Series(released.get(name, frame[name])) for name in plan.quasi}, plan, sensitive)
    weights = [column.weight for column in quasi.columns.values()]
    losses = {
        loss: combined([column_loss(loss, ladder, cells.counts) for ladder, cells in zip(quasi.ladders, quasi.cells, strict=True)], weights)
        for loss in LOSSES
    }
    base, _ = quasi.classes([0] * len(quasi.ladders))
    lattice = Lattice(base, quasi.ladders, losses[plan.loss], requirements)
    budget = int(np.floor(plan.max_suppressed * rows + 1e-9))
    outcome = find_levels(lattice, quasi.choices(), budget)
    if outcome.best is None:
        reachable = _largest_k(requirements, lattice.classes(outcome.nearest.levels), budget)
        raise _unreachable(plan, rows, outcome.nearest, reachable, budget)
    node = outcome.best.levels
    classes, owner = quasi.classes(node)
    failing = requirements.failing(classes)
    left_out = failing[owner]
    shares = {
        **{f"{loss}_loss": table_loss(losses[loss], node, classes, failing) for loss in LOSSES},
        "cells_suppressed": quasi.hidden(node, left_out),
    }
    return Generalised(
        columns=quasi.released(node),
        left_out=left_out,
        levels=dict(zip(quasi.columns, node, strict=True)),
        steps={name: ladder.names for name, ladder in zip(quasi.columns, quasi.ladders, strict=True)},
        before=table_measures(base, requirements),
        after=table_measures(classes.without(failing), requirements),
        loss=(
            *(Metric.counted(f"deidentification.{name}", share, rows, better="lower") for name, share in shares.items()),
            *class_losses(classes, failing, k),
        ),
        nodes=outcome.nodes,
        judged=outcome.judged,
    )


def required_words(plan: Plan) -> tuple[str, ...]:
    """What a plan requires, as sentences."""
    if not plan.quasi:
        return ()
    who = "rows" if plan.person is None else f"different {plan.person}"
    words = [f"at least k = {plan.k} {who} share {', '.join(plan.quasi)}", f"at most {plan.max_suppressed:.3g} of the rows are left out"]
    for name in plan.sensitive:
        column = plan.columns[name]
        if column.diversity:
            c = f", c = {column.diversity.c:g}" if column.diversity.c is not None else ""
            words.append(f"{name}: {column.diversity.kind} l-diversity with l = {column.diversity.l:g}{c}")
        if column.closeness:
            words.append(f"{name}: t-closeness with t = {column.closeness.t:g}, {column.closeness.distance} distance")
    return tuple(words)


def _largest_k(requirements: Requirements, classes: Classes, budget: int) -> int:
    """The largest k below that of the requirements with which all the rest holds of these classes; 0 where none does."""
    holds, fails = 0, requirements.k
    while fails - holds > 1:
        k = (holds + fails) // 2
        lost = classes.sizes[requirements.with_k(k).failing(classes)].sum()
        holds, fails = (k, fails) if lost <= budget else (holds, k)
    return holds


def _unreachable(plan: Plan, rows: int, nearest: Judged, reachable: int, budget: int) -> ConfigurationError:
    """What fails, and the nearest that would hold."""
    at = ", ".join(f"{name} {level}" for name, level in zip(plan.quasi, nearest.levels, strict=True))
    # Rounded up in the last digit that is said, so that the advice holds as it is written.
    share = np.ceil(nearest.suppressed / rows * 1e4) / 1e4
    advice = [f"max_suppressed = {share:g}"] if nearest.suppressed < rows else []
    if reachable:
        advice.append(f"k = {reachable}")
    return ConfigurationError(
        f"no levels meet what is required ({'; '.join(required_words(plan))}): the nearest leave out {nearest.suppressed} of {rows} rows, "
        f"allowed are {budget} (levels: {at})",
        remedy=" or ".join([*advice, "wider levels, or less to be required"]),
    )
