"""De-identification of a table by a plan: each column's action, then the levels at which the plan's requirements hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from audit.deidentification.actions import apply_action
from audit.deidentification.cells import read_cells
from audit.deidentification.generalising import Generalised, generalise, required_words
from audit.deidentification.plan import Plan
from audit.deidentification.pseudonyms import KEY_BYTES
from audit.deidentification.report import ColumnReport, Report
from classifier.errors import ConfigurationError, DataError, did_you_mean
from classifier.metric import Metric
from classifier.records import digest


@dataclass(frozen=True)
class Deidentified:
    """A released table and what was done to it.

    Args:
        frame: The table.
        report: What was done; it holds no cell of the table and no key.
        rows: The row that was read of which each released row is made ``(N,)``. It undoes what sorting is for: never release it.
    """

    frame: pd.DataFrame = field(repr=False)
    report: Report
    rows: NDArray[np.int64] = field(repr=False)


def deidentify(frame: pd.DataFrame, plan: Plan, *, key: bytes | None = None) -> Deidentified:
    """De-identify a table.

    Args:
        frame: One row a case; its index is not released.
        plan: What is done with each of its columns.
        key: 32 random bytes, where the plan has pseudonyms; see :func:`create_key`.

    Raises:
        ConfigurationError: If the plan and the table have different columns, a key is missing, levels are not coarsenings of
            each other, or what the plan requires holds at no level; the message says what would.
        DataError: If a cell does not fit its column's action. Messages name rows and never cells.
    """
    _require_fitting(frame, plan, key)
    frame = frame.reset_index(drop=True)
    released: dict[str, Any] = {}
    for name in frame.columns:
        column = plan.columns[name]
        if column.action == "drop" or (column.action == "generalise" and column.role == "quasi"):
            continue
        released[name] = apply_action(name, column, frame[name], dataset=plan.dataset, key=key)
    found = generalise(frame, plan, released) if plan.quasi else None
    rows = np.arange(len(frame)) if found is None else np.flatnonzero(~found.left_out)
    if found is not None:
        released |= found.columns
    table = pd.DataFrame({name: released[name] for name in frame.columns if name in released}, index=frame.index, copy=False)
    table = table.iloc[rows].reset_index(drop=True)
    for name, column in plan.columns.items():
        # Rare is what is rare among the rows that are released.
        if column.fewer_than is not None and column.role == "other":
            table[name] = apply_action(name, column, table[name], dataset=plan.dataset, key=key)
    if plan.order == "sorted":
        order = _sorted_rows(table)
        table, rows = table.iloc[order].reset_index(drop=True), rows[order]
    report = _report(frame, plan, table, rows, found)
    return Deidentified(table, report, rows)


def _require_fitting(frame: pd.DataFrame, plan: Plan, key: bytes | None) -> None:
    if not len(frame):
        raise DataError("the table has no rows", remedy="give a table with at least one")
    if not frame.columns.is_unique:
        raise DataError(f"the table has two columns {frame.columns[frame.columns.duplicated()][0]!r}", remedy="give each a name of its own")
    if not all(isinstance(name, str) for name in frame.columns):
        raise DataError("the table's column names must be text", remedy="frame.columns = frame.columns.astype(str)")
    unnamed = [name for name in frame.columns if name not in plan.columns]
    if unnamed:
        raise ConfigurationError(
            f"the plan says nothing of {', '.join(map(repr, unnamed))}, and what it does not name is not released by oversight",
            remedy='add [columns.NAME] with action = "keep" or "drop"',
        )
    for name in plan.columns:
        if name not in frame.columns:
            raise ConfigurationError(f"the table has no column {name!r}, which the plan names", remedy=did_you_mean(name, frame.columns))
    pseudonymous = [name for name, column in plan.columns.items() if column.action == "pseudonym"]
    if pseudonymous and key is None:
        raise ConfigurationError(
            f"{', '.join(map(repr, pseudonymous))} are to be pseudonyms, and there is no key", remedy="give key=, or --key-file new:PATH"
        )
    if key is not None and not (isinstance(key, bytes) and len(key) == KEY_BYTES):
        got = len(key) if isinstance(key, bytes) else type(key).__name__
        raise ConfigurationError(f"a key of pseudonyms has {KEY_BYTES} bytes, got {got}", remedy="make one with create_key")
    if all(column.action == "drop" for column in plan.columns.values()):
        raise ConfigurationError("the plan drops every column", remedy="keep at least one")


def _sorted_rows(table: pd.DataFrame) -> NDArray[np.int64]:
    """The order of rows by what they show, column by column."""
    keys = []
    for name in table.columns:
        column = table[name]
        if pd.api.types.is_numeric_dtype(column.dtype):
            keys.append(np.asarray(pd.factorize(column, sort=True)[0]))
        else:
            cells = read_cells(column, str(name))
            rank = np.empty(len(cells.values), dtype=np.int64)
            rank[np.argsort(cells.values.astype(str), kind="stable")] = np.arange(len(cells.values))
            keys.append(rank[cells.codes])
    return np.lexsort(keys[::-1])


def _report(frame: pd.DataFrame, plan: Plan, table: pd.DataFrame, rows: NDArray[np.int64], found: Generalised | None) -> Report:
    columns = []
    for name, column in plan.columns.items():
        level = None if found is None else found.levels.get(name)
        changed = None
        if column.action == "keep" or level == 0:
            changed = 0.0
        elif name in table.columns:
            before, after = read_cells(frame[name].iloc[rows], name), read_cells(table[name], name)
            changed = float(np.mean(before.values[before.codes] != after.values[after.codes])) if len(rows) else 0.0
        step, levels = ("", 0) if level is None or found is None else (found.steps[name][level], len(found.steps[name]) - 1)
        columns.append(ColumnReport(name, column.action, column.role, level, step, levels, column.reason, changed))
    lost = len(frame) - len(rows)
    loss = (Metric.counted("deidentification.rows_suppressed", lost / len(frame), len(frame), better="lower"),)
    return Report(
        dataset=plan.dataset,
        plan=digest(plan.model_dump(mode="json")),
        rows_read=len(frame),
        rows_released=len(rows),
        required=required_words(plan),
        columns=tuple(columns),
        before=found.before if found else (),
        after=found.after if found else (),
        loss=(*loss, *(found.loss if found else ())),
        nodes=found.nodes if found else 0,
        judged=found.judged if found else 0,
        notes=tuple(_notes(plan, table)),
    )


def _notes(plan: Plan, table: pd.DataFrame) -> Iterator[str]:
    """What the measures do not see and the released table shows."""
    telling = [
        name
        for name, column in plan.columns.items()
        if column.role == "other" and column.action in ("keep", "round") and len(table) > 1 and 2 * table[name].nunique() > len(table)
    ]
    if telling:
        yield (
            f"{', '.join(telling)}: most released rows have a value of their own there. Whoever knows it of a person finds the row, "
            "whatever the quasi-identifiers show; is it one of them?"
        )
    if plan.quasi and plan.person is None:
        yield "k counts rows. Where one person has several, fewer than k persons may share them; person in the plan names who is who."
    if not plan.quasi:
        yield "No column is named as a quasi-identifier, and nothing is measured of how rows could be told apart."
