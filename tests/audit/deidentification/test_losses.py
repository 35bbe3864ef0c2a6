"""What generalising loses: the span of what is shown, as a share of the column's range."""

from __future__ import annotations

import pandas as pd
import pytest

from audit.deidentification import Column, Plan, deidentify

CASES: dict[str, tuple[list[object], dict[str, object], float]] = {
    "a range of one value": ([1, 1, 101, 101, 201, 201], {"widths": (50,), "level": 1}, (49 + 50 + 1) / 3 / 200),
    "a range of several": ([0, 10, 20, 100], {"widths": (50,), "level": 1}, 50 * 3 / 4 / 100),
    "cut at an edge": ([1, 101, 201], {"cuts": ((100,),), "level": 1}, (99 + 101 + 101) / 3 / 200),
    "months": (["2024-01-15", "2024-03-15", "2024-03-31"], {"dates": ("month",), "level": 1}, (17 + 30 + 30) / 3 / 76),
    "quarters": (["2023-12-31", "2024-01-15", "2024-04-01"], {"dates": ("quarter",), "level": 1}, (1 + 91 + 0) / 3 / 92),
    "decades": (["1969-12-31", "1970-01-01", "1980-01-01"], {"dates": ("decade",), "level": 1}, (1 + 3652 + 0) / 3 / 3653),
    "days": (["2024-01-15", "2024-03-15"], {"dates": ("day",), "level": 1}, 0.0),
    "an empty cell is told from the rest": ([1, 1, 3, ""], {"widths": (10,), "level": 1}, 3 / 4),
    "nothing is told": ([1, 1, 3, ""], {"widths": (10,), "level": 2}, 1.0),
    "one value": ([7, 7], {"widths": (10,), "level": 1}, 0.0),
    "the longest range there is": ([-1.5e308, 1.5e308, 0], {"cuts": ((0,),), "level": 1}, 0.5),
    "prefixes": (["aa", "ab", "b"], {"prefixes": (1,), "level": 1}, (2 + 2 + 0) / 3 / 3),
}


@pytest.mark.parametrize("case", CASES)
def test_the_penalty_is_the_span_of_the_label(case: str) -> None:
    """As Xu et al., 2006, define it, within the range that the column has."""
    values, options, loss = CASES[case]
    columns = {"a": Column(action="generalise", role="quasi", **options)}  # type: ignore[arg-type]
    report = deidentify(pd.DataFrame({"a": values}), Plan(dataset="d", k=1, max_suppressed=0, columns=columns)).report
    (found,) = [metric.value for metric in report.loss if metric.name.endswith("ncp_loss")]
    assert found == pytest.approx(loss)
