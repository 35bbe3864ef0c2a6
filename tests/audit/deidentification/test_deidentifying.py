"""De-identification of whole tables: what is released shows no more than the plan says, and nothing goes out by oversight."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from audit.deidentification import Closeness, Column, Diversity, Plan, deidentify
from classifier.builtin import GERMAN_CREDIT
from classifier.errors import AssayError, ConfigurationError, DataError
from classifier.records import as_record, canonical_json

KEEP = Column(action="keep")
QUASI = Column(action="keep", role="quasi")


def test_german_credit_becomes_5_anonymous_and_every_number_can_be_counted_again() -> None:
    frame = pd.read_csv(GERMAN_CREDIT, dtype=str, keep_default_na=False)
    columns = dict.fromkeys(frame.columns, KEEP) | {
        "age_years": Column(action="generalise", role="quasi", widths=(5, 10, 20)),
        "personal_status_sex": Column(action="generalise", role="quasi"),
        "job": Column(action="generalise", role="quasi"),
        "credit_risk": Column(action="keep", role="sensitive", diversity=Diversity(l=2)),
        "telephone": Column(action="drop"),
    }
    found = deidentify(frame, Plan(dataset="german-credit", k=5, max_suppressed=0.05, columns=columns))
    values = {metric.name.removeprefix("deidentification."): metric.value for metric in (*found.report.loss, *found.report.after)}
    quasi = ["personal_status_sex", "age_years", "job"]
    sizes = found.frame.groupby(quasi).size()
    assert list(found.frame.columns) == [name for name in frame.columns if name != "telephone"]
    assert values["smallest_class"] == sizes.min() >= 5
    assert values["classes"] == len(sizes)
    assert values["mean_risk"] == pytest.approx(len(sizes) / len(found.frame))
    assert values["distinct_values"] == found.frame.groupby(quasi)["credit_risk"].nunique().min() >= 2
    assert values["rows_suppressed"] == pytest.approx(1 - len(found.frame) / 1000)
    assert values["discernibility"] == (sizes**2).sum() + 1000 * (1000 - len(found.frame))
    before = {metric.name.removeprefix("deidentification."): metric.value for metric in found.report.before}
    original = frame.groupby(quasi).size()
    assert before["unique_rows"] == pytest.approx((original == 1).sum() / 1000)
    assert before["rows_below_k"] == pytest.approx(original[original < 5].sum() / 1000)
    # What was not generalised is each row's own.
    same = ["amount_dm", "credit_risk", "purpose"]
    assert (found.frame[same].to_numpy() == frame.iloc[found.rows][same].to_numpy()).all()


def test_the_order_of_the_input_tells_nothing_of_the_output() -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"a": generator.integers(0, 9, 200), "b": generator.normal(size=200), "c": generator.choice(["x", "", "y"], 200)})
    plan = Plan(dataset="d", columns=dict.fromkeys(frame, KEEP))
    one = deidentify(frame, plan).frame
    other = deidentify(frame.iloc[generator.permutation(200)], plan).frame
    pd.testing.assert_frame_equal(one, other)
    assert list(deidentify(frame, plan.model_copy(update={"order": "kept"})).frame["a"]) == list(frame["a"])


def test_spellings_of_one_value_are_one_class_and_do_not_tell_its_rows_apart() -> None:
    frame = pd.DataFrame({"q": ["é", "e\u0301", " é", "é "], "z": [0.0, -0.0, 0.0, 0.0], "row": list("abcd")})
    found = deidentify(frame, Plan(dataset="d", k=4, max_suppressed=0, columns={"q": QUASI, "z": QUASI, "row": KEEP}))
    assert set(found.frame["q"]) == {"é"}
    assert not np.signbit(found.frame["z"]).any()


def test_stamps_that_differ_by_a_nanosecond_or_a_zone_are_different_values() -> None:
    stamps = ["2024-01-01T00:00:00.000000001", "2024-01-01T00:00:00.000000002", "2024-01-01"]
    zones = [pd.Timestamp("2024-01-01", tz=zone) for zone in ("UTC", "Asia/Shanghai", "Europe/Berlin")]
    for values in (pd.to_datetime(stamps, format="ISO8601").astype("datetime64[ns]"), pd.Series(zones, dtype=object)):
        frame = pd.DataFrame({"d": values})
        found = deidentify(frame, Plan(dataset="d", k=1, columns={"d": QUASI}))
        (smallest,) = [metric.value for metric in found.report.after if metric.name.endswith("smallest_class")]
        assert found.frame["d"].nunique() == 3
        assert smallest == 1


def test_what_is_rare_is_counted_among_the_rows_that_are_released() -> None:
    frame = pd.DataFrame({"q": list("aaab"), "c": list("vwwv")})
    columns = {"q": QUASI, "c": Column(action="suppress", fewer_than=2)}
    found = deidentify(frame, Plan(dataset="d", k=2, max_suppressed=0.3, columns=columns))
    assert sorted(found.frame["c"]) == ["*", "w", "w"]
    assert not len(deidentify(frame, Plan(dataset="d", k=9, max_suppressed=1, columns=columns)).frame)


def test_half_a_character_is_named_by_its_row() -> None:
    frame = pd.DataFrame({"a": pd.Series(["fine", "secret \ud800"], dtype=object)})
    with pytest.raises(DataError, match="half a character in row 2") as caught:
        deidentify(frame, Plan(dataset="d", columns={"a": KEEP}))
    assert "secret" not in str(caught.value)


def test_categories_of_rows_that_were_left_out_are_not_released() -> None:
    frame = pd.DataFrame({"q": [1, 1, 2], "secret": pd.Categorical(["x", "x", "only here"])}, index=["ann", "bob", "cyd"])
    found = deidentify(frame, Plan(dataset="d", k=2, max_suppressed=0.5, columns={"q": QUASI, "secret": KEEP}))
    assert not isinstance(found.frame["secret"].dtype, pd.CategoricalDtype)
    assert list(found.frame.index) == [0, 1]


def test_where_one_person_has_several_rows_k_counts_persons() -> None:
    frame = pd.DataFrame({"q": [1, 1, 1, 2, 2, 2], "id": list("aaabcd"), "x": range(6)})
    columns = {"q": QUASI, "id": Column(action="drop"), "x": KEEP}
    by_rows = deidentify(frame, Plan(dataset="d", k=3, max_suppressed=0.5, columns=columns))
    by_persons = deidentify(frame, Plan(dataset="d", k=3, person="id", max_suppressed=0.5, columns=columns))
    assert len(by_rows.frame) == 6
    assert any("k counts rows" in note for note in by_rows.report.notes)
    assert list(by_persons.frame["x"]) == [3, 4, 5]
    (fewest,) = [metric.value for metric in by_persons.report.after if metric.name.endswith("fewest_persons")]
    assert fewest == 3


def test_a_column_that_nearly_every_row_has_another_value_in_is_told() -> None:
    frame = pd.DataFrame({"q": [1] * 6, "salary": range(6), "city": ["x"] * 6})
    notes = deidentify(frame, Plan(dataset="d", k=2, columns={"q": QUASI, "salary": KEEP, "city": KEEP})).report.notes
    assert [note for note in notes if note.startswith("salary: most released rows")]


def test_a_rounded_column_can_be_a_quasi_identifier() -> None:
    frame = pd.DataFrame({"q": [101, 99, 151, 149], "x": range(4)})
    columns = {"q": Column(action="round", role="quasi", to=100), "x": KEEP}
    found = deidentify(frame, Plan(dataset="d", k=1, columns=columns))
    assert sorted(found.frame["q"]) == ["100", "100", "100", "200"]


def test_the_report_is_a_record_and_holds_no_cell_and_no_key() -> None:
    frame = pd.DataFrame({"id": ["cell-one", "cell-two"] * 5, "q": ["cell-three"] * 10, "n": [123456] * 10})
    columns = {"id": Column(action="pseudonym"), "q": QUASI, "n": Column(action="round", to=10)}
    key = b"a key of thirty-two bytes, here."
    text = canonical_json(as_record(deidentify(frame, Plan(dataset="d", k=2, columns=columns), key=key).report)).decode()
    assert json.loads(text)["rows_read"] == 10
    assert "still personal data (GDPR, recital 26; PIPL, article 73)" in text
    for secret in ("cell-", "12345", key.decode(), key.hex()):
        assert secret not in text


BAD: dict[str, tuple[pd.DataFrame, Plan, str]] = {
    "a column of the table that the plan lacks": (
        pd.DataFrame({"a": [1], "forgotten": [2]}),
        Plan(dataset="d", columns={"a": KEEP}),
        "says nothing of 'forgotten'",
    ),
    "a column of the plan that the table lacks": (
        pd.DataFrame({"salary": [1]}),
        Plan(dataset="d", columns={"salary": KEEP, "salery": KEEP}),
        "has no column 'salery'.*did you mean 'salary'",
    ),
    "names that are no text": (pd.DataFrame({0: [1]}), Plan(dataset="d", columns={"0": KEEP}), "column names must be text"),
    "no rows": (pd.DataFrame({"a": []}), Plan(dataset="d", columns={"a": KEEP}), "has no rows"),
    "two columns of a name": (pd.DataFrame([[1, 2]], columns=["a", "a"]), Plan(dataset="d", columns={"a": KEEP}), "two columns 'a'"),
    "nothing is left": (pd.DataFrame({"a": [1]}), Plan(dataset="d", columns={"a": Column(action="drop")}), "drops every column"),
    "a level that there is not": (
        pd.DataFrame({"a": [1]}),
        Plan(dataset="d", k=1, columns={"a": Column(action="generalise", role="quasi", widths=(5,), level=3)}),
        "has the levels 0 to 2, got 3",
    ),
    "nothing that chooses a level": (
        pd.DataFrame({"a": [1]}),
        Plan(dataset="d", columns={"a": Column(action="generalise", widths=(5, 10))}),
        "nothing chooses between them",
    ),
    "an order that lacks a value": (
        pd.DataFrame({"q": [1, 1], "s": ["low", "odd"]}),
        Plan(
            dataset="d",
            k=1,
            columns={
                "q": QUASI,
                "s": Column(action="keep", role="sensitive", closeness=Closeness(t=1, distance="ordered", order=("low", "high"))),
            },
        ),
        "a value without a place, the first of them row 2",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_table_that_the_plan_does_not_fit_is_refused(case: str) -> None:
    frame, plan, problem = BAD[case]
    with pytest.raises((ConfigurationError, DataError), match=problem) as caught:
        deidentify(frame, plan)
    assert isinstance(caught.value, AssayError)
    assert caught.value.remedy
