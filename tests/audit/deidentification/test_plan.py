"""Plans: what cannot be meant is refused with its line, and what is written reads back the same."""

from __future__ import annotations

import string
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.deidentification import Closeness, Column, Diversity, Plan, deidentify, propose_plan
from audit.deidentification.plan_text import plan_as_toml
from audit.toml_files import parse_toml
from classifier.errors import ConfigurationError, DataError

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
HEAD = 'dataset = "d"\n[columns.a]\n'


@settings(deadline=None)
@given(
    st.dictionaries(TEXT, TEXT, min_size=1, max_size=4), TEXT.filter(bool), st.floats(1e-6, 1e9), st.dictionaries(TEXT, TEXT, min_size=1)
)
def test_a_plan_that_is_written_reads_back_the_same(reasons: dict[str, str], dataset: str, number: float, table: dict[str, str]) -> None:
    columns = {name: Column(action="round", to=number, reason=reason) for name, reason in reasons.items()}
    columns["h"] = Column(action="generalise", role="quasi", hierarchy={value: (label, "x") for value, label in table.items()})
    columns["w"] = Column(action="generalise", role="quasi", widths=(number, 2 * number), origin=-number, weight=number, lowest=1)
    columns["c"] = Column(action="generalise", cuts=((1.5, number),), level=0)
    columns["s"] = Column(
        action="keep", role="sensitive", diversity=Diversity(kind="recursive", l=2, c=number), closeness=Closeness(t=0.25, order=(dataset,))
    )
    plan = Plan(dataset=dataset, k=3, person="s", max_suppressed=0.125, loss="entropy", order="kept", columns=columns)
    assert parse_toml(Plan, plan_as_toml(plan), "plan.toml") == plan


BAD = {
    "an unknown key": (HEAD + 'action = "keep"\nrol = "quasi"\n', "line 4: unknown key 'columns.a.rol'; did you mean 'role'"),
    "an unknown action": (HEAD + 'action = "keeep"\n', "line 3: 'columns.a.action' input should be 'keep', 'drop'"),
    "an option of another action": (HEAD + 'action = "drop"\nwidths = [5]\n', "has widths, which action = \"drop\" does not take"),
    "two ladders": (HEAD + 'action = "generalise"\nwidths = [5]\nprefixes = [2]\n', "has widths and prefixes; give one of them"),
    "a quasi-identifier without k": (HEAD + 'action = "keep"\nrole = "quasi"\n', "has quasi-identifiers and no k"),
    "k without quasi-identifiers": ('dataset = "d"\nk = 5\n[columns.a]\naction = "keep"\n', "no column with role = \"quasi\""),
    "a pseudonym as quasi-identifier": (HEAD + 'action = "pseudonym"\nrole = "quasi"\n', "which action = \"pseudonym\" does not go with"),
    "short pseudonyms": (HEAD + 'action = "pseudonym"\nbits = 64\n', "greater than or equal to 128"),
    "no number to round to": (HEAD + 'action = "round"\n', "needs to, the number whose multiples"),
    "diversity of what is not sensitive": (HEAD + 'action = "keep"\ndiversity = { l = 2 }\n', "need role = \"sensitive\""),
    "recursive diversity without c": (
        HEAD + 'action = "keep"\nrole = "sensitive"\ndiversity = { kind = "recursive", l = 2 }\n',
        "needs c where kind = \"recursive\"",
    ),
    "an infinite width": (HEAD + 'action = "generalise"\nwidths = [inf]\n', "finite number"),
    "a person that is no column": (
        'dataset = "d"\nk = 5\nperson = "b"\n[columns.a]\naction = "keep"\nrole = "quasi"\n',
        "none of its columns",
    ),
    "no columns": ('dataset = "d"\n', "'columns' is missing"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_plan_that_cannot_be_meant_is_refused_and_says_why(case: str, tmp_path: Path) -> None:
    text, problem = BAD[case]
    (tmp_path / "plan.toml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        Plan.read(tmp_path / "plan.toml")
    assert problem in str(caught.value).replace("Input", "input")


def people(rows: int = 200) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": [f"C{i // 2:05d}" for i in range(rows)],
            "email": [f"u{i}@example.com" for i in range(rows)],
            "serial": [str(70_000_000 + 13 * i) for i in range(rows)],
            "age": [20 + i % 60 for i in range(rows)],
            "postcode": [f"{10_000 + 7 * i}" for i in range(rows)],
            "birth_date": pd.date_range("1950-01-01", periods=rows, freq="40D").astype(str),
            "sex": ["f", "m"] * (rows // 2),
            "note": [f"On visit {i} they said that the {'door' if i % 3 else 'roof'} number {i} leaks" for i in range(rows)],
            "amount": [100 * (i % 9) for i in range(rows)],
            "paid": ["no", *["yes", "no", "yes"] * (rows // 3), "yes"][:rows],
        }
    )


def test_a_proposal_gives_every_column_an_action_and_a_reason() -> None:
    plan = propose_plan(people(), target="paid", dataset="people")
    actions = {name: (column.action, column.role) for name, column in plan.columns.items()}
    assert actions == {
        "customer_id": ("pseudonym", "other"),
        "email": ("drop", "other"),
        "serial": ("pseudonym", "other"),
        "age": ("generalise", "quasi"),
        "postcode": ("generalise", "quasi"),
        "birth_date": ("generalise", "quasi"),
        "sex": ("generalise", "quasi"),
        "note": ("drop", "other"),
        "amount": ("keep", "other"),
        "paid": ("keep", "sensitive"),
    }
    assert all(column.reason for column in plan.columns.values())
    assert (plan.k, plan.person) == (5, "customer_id")


def test_three_genuine_numbers_are_too_few_for_an_alarm_and_still_not_kept() -> None:
    plan = propose_plan(pd.DataFrame({"x": ["4111111111111111", "5555555555554444", "378282246310005"]}))
    assert plan.columns["x"].action == "drop"
    assert plan.columns["x"].reason.endswith("too few to rule out chance")


@pytest.mark.parametrize("values", [[1.0, 1.0], [""] * 3, ["x"], [None, None], list(string.ascii_letters), [0.1 * i for i in range(50)]])
@pytest.mark.parametrize("name", ["age", "zip", "birth date", "x", "id"])
def test_any_column_gets_a_proposal_that_runs(name: str, values: list[object]) -> None:
    frame = pd.DataFrame({name: values, "other": 1})
    plan = propose_plan(frame).model_copy(update={"max_suppressed": 1.0})
    assert deidentify(frame, plan, key=bytes(32)).report.rows_read == len(values)


def test_dates_are_dates_however_they_are_written() -> None:
    days = pd.date_range("1950-01-01", periods=200, freq="80D")
    frame = pd.DataFrame({"birthdate": days.strftime("%Y%m%d"), "dob": days.strftime("%d/%m/%Y"), "age": [20 + i % 60 for i in range(200)]})
    columns = propose_plan(frame).columns
    assert columns["birthdate"].dates == ("month", "quarter", "year", "decade")
    assert 'date_format = "%d.%m.%Y"' in columns["dob"].reason
    assert columns["age"].widths


@pytest.mark.parametrize("values", [[-1e308, 1e308], [1e-322, 2e-322]])
def test_numbers_beyond_all_widths_get_none(values: list[float]) -> None:
    frame = pd.DataFrame({"age": np.linspace(-1, 1, 30) * values[1], "x": 1})
    plan = propose_plan(frame)
    assert (plan.columns["age"].action, plan.columns["age"].widths) == ("generalise", ())
    assert deidentify(frame, plan).report.rows_released == 30


def test_a_target_that_is_no_column_is_refused() -> None:
    with pytest.raises(DataError, match="has no column 'payd'; did you mean 'paid'"):
        propose_plan(people(), target="payd")
