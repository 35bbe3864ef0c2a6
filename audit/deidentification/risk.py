"""What a table shows of its rows: classes, prosecutor risks, and sensitive columns within classes.

These numbers are counted over all rows of one table and have no sampling error; of other tables, and of the population that
the rows come from, they say nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from audit.deidentification.classes import Classes
from audit.deidentification.closeness import equal_distance, ordered_distance
from audit.deidentification.diversity import distinct_values, effective_values
from audit.deidentification.requirements import Requirements
from classifier.metric import Better, Metric


def table_measures(classes: Classes, requirements: Requirements) -> tuple[Metric, ...]:
    """The measures of a table.

    - ``smallest_class`` is the k that the table has, ``average_class`` its rows a class.
    - ``unique_rows`` is the share of rows that nobody shares the quasi-identifiers with, ``rows_below_k`` of those in classes
      smaller than the k that is required.
    - ``largest_risk`` is 1 / k and ``mean_risk`` classes / rows: the chance to pick the row of a person who is known to be in
      the table, by the quasi-identifiers alone, for the worst row and for a row on average (prosecutor risk; El Emam and Dankar, 2008).
    - ``fewest_persons`` is the smallest number of different persons in a class, where a column tells whose row it is.
    - ``distinct_values``, ``effective_values`` and ``distance`` are the worst class's, for each sensitive column; to the
      first two an empty cell is no value.

    Args:
        classes: The classes of its rows.
        requirements: The k, and the sensitive columns.
    """
    sizes, rows = classes.sizes, int(classes.sizes.sum())
    if not rows:
        return (Metric.missing("deidentification.smallest_class", "no row is left"),)
    measures = [
        _counted("classes", len(sizes), rows),
        _counted("smallest_class", int(sizes.min()), rows, "higher"),
        _counted("average_class", rows / len(sizes), rows),
        _counted("unique_rows", int((sizes == 1).sum()) / rows, rows, "lower"),
        _counted("rows_below_k", int(sizes[sizes < requirements.k].sum()) / rows, rows, "lower"),
        _counted("largest_risk", 1 / int(sizes.min()), rows, "lower"),
        _counted("mean_risk", len(sizes) / rows, rows, "lower"),
    ]
    for column, pairs in zip(requirements.sensitive, classes.pairs, strict=True):
        if column.person:
            fewest = float(distinct_values(pairs, sizes).min())
            measures.append(_counted("fewest_persons", fewest, rows, "higher").measured_on(column=column.name))
            continue
        ordered = column.closeness is not None and column.closeness.distance == "ordered"
        distance = (ordered_distance if ordered else equal_distance)(pairs, sizes, column.overall)
        told = column.told(pairs, sizes)
        of_column = {
            "distinct_values": (float(distinct_values(*told).min()), "higher"),
            "effective_values": (float(effective_values(*told).min()), "higher"),
            "distance": (float(np.clip(distance.max(), 0, 1)), "lower"),
        }
        for name, (value, better) in of_column.items():
            where: dict[str, str | float | int] = {"column": column.name}
            if name == "distance":
                where["between_values"] = "ordered" if ordered else "equal"
            measures.append(_counted(name, value, rows, better).measured_on(**where))  # type: ignore[arg-type]
    return tuple(measures)


def class_losses(classes: Classes, failing: NDArray[np.bool_], k: int) -> tuple[Metric, ...]:
    """What classes say of the loss.

    - ``discernibility``: the rows that each row cannot be told from, summed; a row left out counts all (Bayardo and Agrawal, 2005).
    - ``normalised_class``: the average class in multiples of k (LeFevre et al., 2006).

    Args:
        classes: The classes of all rows that were read, at the levels that were taken.
        failing: Which of them are left out ``(C,)``.
        k: The k that is required.
    """
    rows_read = int(classes.sizes.sum())
    released = classes.sizes[~failing].astype(np.float64)
    left_out = float(classes.sizes[failing].sum())
    losses = [_counted("discernibility", float((released**2).sum()) + rows_read * left_out, rows_read, "lower")]
    if len(released):
        losses.append(_counted("normalised_class", float(released.mean()) / k, rows_read, "lower"))
    return tuple(losses)


def _counted(name: str, value: float, rows: int, better: Better = "neither") -> Metric:
    return Metric.counted(f"deidentification.{name}", value, rows, better=better)
