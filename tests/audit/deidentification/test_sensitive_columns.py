"""Sensitive columns: what tells the same is one value, what is empty tells nothing, and what is named has its place."""

from __future__ import annotations

import pandas as pd
import pytest

from audit.deidentification import Closeness, Column, Diversity, Plan, deidentify
from classifier.errors import ConfigurationError


def measured(values: list[object], *, q: str = "", **limits: object) -> dict[str, float | None]:
    frame = pd.DataFrame({"q": list(q) or ["x"] * len(values), "s": values})
    columns = {"q": Column(action="keep", role="quasi"), "s": Column(action="keep", role="sensitive", **limits)}  # type: ignore[arg-type]
    report = deidentify(frame, Plan(dataset="d", k=1, max_suppressed=0, columns=columns)).report
    return {metric.name.removeprefix("deidentification."): metric.value for metric in report.after}


SAME: dict[str, list[object]] = {
    "an empty cell": ["HIV", "HIV", "HIV", ""],
    "a gap": ["HIV", "HIV", None, None],
    "case": ["HIV", "hiv", "Hiv"],
    "what does not show": ["HIV", "HIV\u200b", "\ufeffHIV", "H\u00adIV"],
    "blanks": ["lung  cancer", "lung cancer", "lung\xa0cancer"],
    "full width": ["HIV", "\uff28\uff29\uff36"],
    "numbers": ["1", "1.0", "01", "1e0"],
    "zeros": ["0", "-0.0"],
}


@pytest.mark.parametrize("kind", [{"kind": "distinct"}, {"kind": "entropy"}, {"kind": "recursive", "c": 3}])
@pytest.mark.parametrize("case", SAME)
def test_what_tells_the_same_is_not_varied(case: str, kind: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match="no levels meet what is required"):
        measured(SAME[case], diversity=Diversity(l=2, **kind))  # type: ignore[arg-type]
    values = measured(SAME[case])
    assert values["distinct_values"] == 1
    assert values["effective_values"] == pytest.approx(1)


def test_diversity_is_that_of_the_cells_that_are_not_empty() -> None:
    values = measured(["a", "a", "b", "", "", None], diversity=Diversity(kind="recursive", l=2, c=2.1))
    assert values["distinct_values"] == 2
    # The entropy of 2/3 and 1/3: 3 / 4 ** (1 / 3).
    assert values["effective_values"] == pytest.approx(3 / 4 ** (1 / 3))
    assert measured(["", ""])["distinct_values"] == 0


@pytest.mark.parametrize(
    ("order", "distance"),
    [(("b", "c"), 0.5), (("a", "b", "c"), 0.25), (("b", "c", "d"), 0.25), (("b", "x", "c"), 0.5), (("c", "b", *"defg"), 0.1)],
)
def test_a_distance_is_a_share_of_all_ranks_that_are_named(order: tuple[str, ...], distance: float) -> None:
    """Half of a class of one value moves by the steps between the two, of all steps that there are."""
    values = measured(list("bbcc"), q="xxyy", closeness=Closeness(t=1, distance="ordered", order=order))
    assert values["distance"] == pytest.approx(distance)


def test_a_value_has_one_place_in_an_order() -> None:
    with pytest.raises(ValueError, match="has 'b' twice in order"):
        Closeness(t=1, distance="ordered", order=("b", "c", "b"))
