"""Tables of the literature: what their authors say of them is what is measured."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from audit.deidentification import Closeness, Column, Diversity, Plan, Report, deidentify
from audit.deidentification.classes import Classes, Pairs, group_rows
from audit.deidentification.closeness import equal_distance, ordered_distance
from audit.deidentification.diversity import distinct_values, dominance, effective_values
from classifier.errors import ConfigurationError

# Sweeney, 2002, "k-anonymity: a model for protecting privacy", figure 2: k = 2 for race, birth, gender and ZIP.
SWEENEY = pd.DataFrame(
    [
        ("Black", "1965", "m", "0214*", "short breath"),
        ("Black", "1965", "m", "0214*", "chest pain"),
        ("Black", "1965", "f", "0213*", "hypertension"),
        ("Black", "1965", "f", "0213*", "hypertension"),
        ("Black", "1964", "f", "0213*", "obesity"),
        ("Black", "1964", "f", "0213*", "chest pain"),
        ("White", "1964", "m", "0213*", "chest pain"),
        ("White", "1964", "m", "0213*", "obesity"),
        ("White", "1964", "m", "0213*", "short breath"),
        ("White", "1967", "m", "0213*", "chest pain"),
        ("White", "1967", "m", "0213*", "chest pain"),
    ],
    columns=["race", "birth", "gender", "zip", "problem"],
)
# Machanavajjhala et al., 2007, figure 1: inpatients; figure 2 makes them 4-anonymous, figure 3 3-diverse.
INPATIENTS = pd.DataFrame(
    [
        ("13053", 28, "Russian", "heart"),
        ("13068", 29, "American", "heart"),
        ("13068", 21, "Japanese", "viral"),
        ("13053", 23, "American", "viral"),
        ("14853", 50, "Indian", "cancer"),
        ("14853", 55, "Russian", "heart"),
        ("14850", 47, "American", "viral"),
        ("14850", 49, "American", "viral"),
        ("13053", 31, "American", "cancer"),
        ("13053", 37, "Indian", "cancer"),
        ("13068", 36, "Japanese", "cancer"),
        ("13068", 35, "American", "cancer"),
    ],
    columns=["zip", "age", "nationality", "condition"],
)
# Li et al., 2007, table 3: the salaries, in thousands, of nine people, and table 5: the classes of a 0.167-close release.
SALARIES = [3, 4, 5, 6, 11, 8, 7, 9, 10]
CLOSE_CLASSES = [0, 2, 0, 1, 1, 1, 2, 0, 2]


def quasi(**options: object) -> Column:
    return Column(action="generalise", role="quasi", **options)  # type: ignore[arg-type]


def measured(report: Report, name: str, *, before: bool = False, **where: str) -> float:
    metrics = [*(report.before if before else report.after), *report.loss]
    (value,) = [m.value for m in metrics if m.name == f"deidentification.{name}" and where.items() <= dict(m.where).items()]
    assert value is not None
    return value


def one_class(counts: dict[int, int]) -> tuple[Pairs, np.ndarray]:
    owner = np.zeros(len(counts), dtype=np.int64)
    return Pairs(owner, np.array(list(counts)), np.array(list(counts.values()))), np.array([sum(counts.values())])


def test_sweeneys_table_is_2_anonymous_as_it_is() -> None:
    columns = {name: Column(action="keep", role="quasi") for name in SWEENEY.columns[:4]} | {"problem": Column(action="keep")}
    found = deidentify(SWEENEY, Plan(dataset="sweeney", k=2, max_suppressed=0, columns=columns))
    assert measured(found.report, "smallest_class") == 2
    assert measured(found.report, "classes") == 5
    assert measured(found.report, "largest_risk") == 1 / 2
    assert measured(found.report, "mean_risk") == 5 / 11
    assert measured(found.report, "discernibility") == 2**2 * 4 + 3**2
    assert len(found.frame) == 11
    with pytest.raises(ConfigurationError, match="k = 2"):
        deidentify(SWEENEY, Plan(dataset="sweeney", k=3, max_suppressed=0, columns=columns))


def test_the_inpatients_become_4_anonymous_as_published_and_a_class_of_cancer_shows() -> None:
    columns = {
        "zip": quasi(prefixes=(3,), level=1),
        "age": quasi(cuts=((30, 40),), level=1),
        "nationality": quasi(level=1),
        "condition": Column(action="keep", role="sensitive"),
    }
    found = deidentify(INPATIENTS, Plan(dataset="inpatients", k=4, max_suppressed=0, columns=columns))
    assert sorted(set(found.frame["zip"] + " " + found.frame["age"])) == ["130* 30 to under 40", "130* under 30", "148* 40 or more"]
    assert measured(found.report, "smallest_class") == 4
    assert measured(found.report, "distinct_values", column="condition") == 1


def test_the_inpatients_become_3_diverse_as_published() -> None:
    columns = {
        "zip": quasi(prefixes=(4,), level=1),
        "age": quasi(cuts=((41,),), level=1),
        "nationality": quasi(level=1),
        "condition": Column(action="keep", role="sensitive", diversity=Diversity(l=3)),
    }
    found = deidentify(INPATIENTS, Plan(dataset="inpatients", k=4, max_suppressed=0, columns=columns))
    assert sorted(set(found.frame["zip"])) == ["1305*", "1306*", "1485*"]
    assert measured(found.report, "smallest_class") == 4
    assert measured(found.report, "distinct_values", column="condition") == 3


def test_the_search_finds_levels_for_the_inpatients_that_hold_and_lose_no_more_than_the_published() -> None:
    columns = {
        "zip": quasi(prefixes=(4, 3, 2)),
        "age": quasi(cuts=((30, 41), (41,))),
        "nationality": quasi(),
        "condition": Column(action="keep", role="sensitive", diversity=Diversity(l=3)),
    }
    free = deidentify(INPATIENTS, Plan(dataset="i", k=4, max_suppressed=0, columns=columns))
    published = columns | {
        name: columns[name].model_copy(update={"level": level}) for name, level in (("zip", 1), ("age", 2), ("nationality", 1))
    }
    fixed = deidentify(INPATIENTS, Plan(dataset="i", k=4, max_suppressed=0, columns=published))
    assert measured(free.report, "ncp_loss") <= measured(fixed.report, "ncp_loss")


@pytest.mark.parametrize(("salaries", "distance"), [((3, 4, 5), 0.375), ((6, 8, 11), 1 / 6)])
def test_the_distances_of_salaries_are_the_published_ones(salaries: tuple[int, ...], distance: float) -> None:
    """Li et al., 2007, section 5.1: D[{3k, 4k, 5k}, Q] = 0.375 and D[{6k, 8k, 11k}, Q] = 0.167."""
    pairs, sizes = one_class({salary - 3: 1 for salary in salaries})
    assert ordered_distance(pairs, sizes, np.full(9, 1 / 9))[0] == pytest.approx(distance, abs=1e-12)


def test_the_published_close_release_is_one_sixth_close_in_salary_and_no_closer() -> None:
    frame = pd.DataFrame({"class": CLOSE_CLASSES, "salary": SALARIES})

    def at(t: float) -> float:
        limit = Closeness(t=t, distance="ordered")
        columns = {"class": Column(action="keep", role="quasi"), "salary": Column(action="keep", role="sensitive", closeness=limit)}
        found = deidentify(frame, Plan(dataset="salaries", k=3, max_suppressed=0, columns=columns))
        return measured(found.report, "distance", column="salary")

    assert at(0.167) == pytest.approx(1 / 6)
    with pytest.raises(ConfigurationError, match=r"t-closeness with t = 0\.166"):
        at(0.166)


def test_equal_distance_is_half_the_sum_of_differences() -> None:
    pairs, sizes = one_class({0: 3, 2: 1})
    assert equal_distance(pairs, sizes, np.array([0.5, 0.25, 0.25]))[0] == pytest.approx((0.25 + 0.25 + 0.0) / 2)


def test_diversity_of_a_class_is_the_textbooks() -> None:
    """Counts 4, 2, 2: three values, an effective number of 2 ** 1.5, and 4 of the first for 4 from the second on."""
    pairs, sizes = one_class({0: 2, 1: 4, 2: 2})
    assert distinct_values(pairs, sizes)[0] == 3
    assert effective_values(pairs, sizes)[0] == pytest.approx(2**1.5)
    assert dominance(pairs, sizes, 2)[0] == pytest.approx(4 / 4)
    assert dominance(pairs, sizes, 3)[0] == pytest.approx(4 / 2)
    assert dominance(pairs, sizes, 4)[0] == np.inf


def test_more_quasi_identifiers_than_a_number_of_64_bits_tells_apart_are_still_told_apart() -> None:
    generator = np.random.default_rng(0)
    codes = generator.integers(0, 2, (9, 500)) * 999
    classes, owner = group_rows(codes, [1000] * 9)
    expected = pd.DataFrame(codes.T).groupby(list(range(9)), sort=False).ngroup().to_numpy()
    assert isinstance(classes, Classes)
    assert len(classes) == expected.max() + 1
    assert len(np.unique(np.stack([owner, expected]), axis=1).T) == len(classes)
