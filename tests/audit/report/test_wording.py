"""What stands in a cell is written as what it is, whatever a class is called."""

from __future__ import annotations

import pytest

from audit.evidence import Table
from audit.report.catalogue import read_catalogue
from audit.report.wording import Wording
from classifier.metric import Metric

WORDING = Wording(read_catalogue())


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"severity": "high"}, "severity high"),
        ({"corruption": "gaussian_noise", "severity": 3}, "Gaussian noise, severity 3"),
        ({"edits": "all", "budget": 0.05}, "all edits but words left out, 5.0\u00a0% of the words"),
        ({"edits": "deletion", "budget": 2}, "words left out, 2 of the words"),
        ({"eps": 0.05, "norm": "Linf", "rows": "any"}, "eps 0.05, any rows"),
        ({"norm": "L1", "quantile": 0.5}, "L1, quantile 0.5"),
        ({"score": "energy", "set": "given", "distance": "given"}, "energy, rows from elsewhere"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_where_a_metric_was_measured_reads_as_a_phrase(where: dict[str, str | float | int], said: str) -> None:
    assert WORDING.where(Metric.counted("robustness.accuracy", 0.5, 4, where=where)) == said


@pytest.mark.parametrize(
    ("check", "table", "column", "said"),
    [
        ("robustness.corruptions", "by_corruption", "severity_3", "50.0\u00a0%"),
        ("robustness.corruptions", "by_corruption", "brier", "0.500"),
        ("robustness.out_of_distribution", "abstention", "given", "50.0\u00a0%"),
        # Classes that are called like columns of shares: these are counts.
        ("data.label_errors", "matrix", "near", "0.500"),
        ("data.label_errors", "matrix", "share", "0.500"),
    ],
)
def test_a_share_is_a_percentage_in_its_own_table_alone(check: str, table: str, column: str, said: str) -> None:
    assert WORDING.cell(check, Table(table, (column,), ((0.5,),)), column, 0.5) == said
