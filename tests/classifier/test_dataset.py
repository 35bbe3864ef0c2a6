"""A dataset keeps its rows, their labels, their groups and where they came from together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from classifier import Dataset, Schema
from classifier.builtin import GERMAN_CREDIT
from classifier.errors import ConfigurationError, DataError
from classifier.records import sha256_file

DIGEST = "0daf05d81b31786eb9d0a35db09b3c45d5e7631d3552b7d523ab4d5dd59a9ffc"


def people(**options: Any) -> Dataset:
    """A hundred people, aged 0 to 99."""
    columns = {
        "income": np.arange(100) * 7 % 40,
        "age": np.arange(100),
        "sex": ["f", "m"] * 50,
        "granted": ["no", "yes", "yes", "no"] * 25,
    }
    return Dataset.from_frame(pd.DataFrame(columns), target="granted", **{"protected": ["age", "sex"], **options})


def test_german_credit_is_the_file_that_it_is_said_to_be(german_credit: Dataset) -> None:
    assert sha256_file(GERMAN_CREDIT) == DIGEST
    assert german_credit.source == {"name": "german-credit.csv", "sha256": DIGEST}
    assert DIGEST in (GERMAN_CREDIT.parent / "README.md").read_text()


def test_german_credit_has_1000_rows_and_300_events(german_credit: Dataset) -> None:
    assert len(german_credit) == 1000
    assert german_credit.classes == ("good", "bad")
    assert (german_credit.event, german_credit.favourable) == ("bad", "good")
    assert torch.bincount(german_credit.labels).tolist() == [700, 300]
    assert len(german_credit.schema.features) == 17
    assert german_credit.ids.tolist() == list(range(1000))


def test_german_credit_decodes_to_its_file(german_credit: Dataset) -> None:
    written = pd.read_csv(GERMAN_CREDIT)
    decoded = german_credit.frame()
    for feature in german_credit.schema.features:
        assert decoded[feature.name].tolist() == written[feature.name].tolist(), feature.name
    assert decoded["(class)"].tolist() == written["credit_risk"].tolist()
    assert german_credit.attributes["age_years"].tolist() == written["age_years"].tolist()


def test_protected_attributes_are_no_inputs(german_credit: Dataset) -> None:
    assert german_credit.protected == ("age_years", "personal_status_sex", "foreign_worker")
    assert not set(german_credit.protected) & set(german_credit.schema.names)


def test_age_is_cut_where_it_is_said(german_credit: Dataset) -> None:
    age = german_credit.attributes["age_years"].to_numpy()
    groups = german_credit.groups("age_years")
    assert {g: int((groups == g).sum()) for g in set(groups)} == {
        "under 26": int((age < 26).sum()),
        "26 to under 61": int(((age >= 26) & (age < 61)).sum()),
        "61 or more": int((age >= 61).sum()),
    }


def test_a_builtin_that_there_is_not_gives_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"no built-in data set 'german_credit'; did you mean 'german-credit'\?"):
        Dataset.builtin("german_credit")


@pytest.mark.parametrize(("name", "rows", "features", "event"), [("breast-cancer", 569, 30, "malignant"), ("moons", 600, 2, "lower")])
def test_the_other_builtins_are_what_they_are(name: str, rows: int, features: int, event: str) -> None:
    found = Dataset.builtin(name)
    assert (len(found), len(found.schema.features), found.event) == (rows, features, event)


def test_a_number_is_cut_at_its_quartiles() -> None:
    sizes = pd.Series(people().groups("age")).value_counts()
    assert sizes.to_dict() == {"under 24.75": 25, "24.75 to under 49.5": 25, "49.5 to under 74.25": 25, "74.25 or more": 25}


def test_a_part_has_the_groups_of_the_whole() -> None:
    whole = people()
    young = whole[whole.column("age").to_numpy() < 30]
    assert young.groups("age").tolist() == whole.groups("age")[:30].tolist()


def test_a_group_of_few_is_refused() -> None:
    with pytest.raises(DataError, match=r"group '95 or more' of the protected attribute 'age' has 5 rows, required are 10; merge it"):
        people(cuts={"age": [95]})
    assert len(people(cuts={"age": [90]})) == 100


def test_an_unknown_member_is_a_group_of_its_own() -> None:
    frame = people().attributes.assign(income=np.arange(100) % 7, granted=["no", "yes"] * 50, sex=pd.Series(["f", "m", None, "m"] * 25))
    frame.loc[frame["age"] > 79, "age"] = np.nan
    found = Dataset.from_frame(frame, target="granted", protected=["sex", "age"], cuts={"age": [40]})
    assert set(found.groups("sex")) == {"f", "m", "(missing)"}
    assert (found.groups("age") == "(missing)").sum() == 20


def test_a_protected_input_is_marked_and_cannot_be_changed() -> None:
    found = people(protected_inputs=["age"])
    assert found.schema["age"].protected
    assert not found.schema["age"].mutable
    assert found.schema["income"].mutable
    assert people(protected_inputs=["age"], features={"age": {"mutable": True}}).schema["age"].mutable


def test_rows_stay_together() -> None:
    whole = people()
    rows = np.array([7, 3, 98])
    part = whole[rows]
    assert part.ids.tolist() == rows.tolist()
    assert part.attributes["age"].tolist() == [7.0, 3.0, 98.0]
    assert torch.equal(part.inputs, whole.inputs[rows])
    assert torch.equal(part.labels, whole.labels[rows])
    assert whole[whole.ids % 2 == 0].column("sex").unique().tolist() == ["f"]
    assert whole[10:12].column("age").tolist() == [10.0, 11.0]


def test_parts_join_to_the_whole() -> None:
    whole = people()
    joined = Dataset.joined([whole[50:], whole[:50]])
    assert joined.digest == whole.digest
    assert joined.attributes.equals(whole.attributes)


def test_the_digest_tells_datasets_apart() -> None:
    whole = people()
    assert whole.digest == people().digest
    labels = whole.labels.clone()
    labels[0] = 1 - labels[0]
    inputs = whole.inputs.clone()
    inputs[0, 0] += 1e-6
    others = [replace(whole, labels=labels), replace(whole, inputs=inputs), replace(whole, classes=("no", "maybe")), whole[1:]]
    assert len({whole.digest, *(other.digest for other in others)}) == 5


def test_a_column_that_there_is_not_gives_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"no column 'incom'; did you mean 'income'\?"):
        people().column("incom")


def test_another_table_is_encoded_with_the_schema_of_the_first() -> None:
    first = people(drop=["sex"], protected=["age"])
    frame = pd.DataFrame({"income": [0, 78], "age": [1, 2], "sex": ["f", "f"], "granted": ["yes", "yes"]})
    second = Dataset.from_frame(frame, target="granted", drop=["age", "sex"], schema=first.schema, classes=first.classes)
    # Twice the highest income: outside the bounds, and kept as it is.
    assert second.inputs.tolist() == [[0.0], [2.0]]
    assert second.labels.tolist() == [1, 1]


def test_a_file_with_a_wrong_value_names_its_row(tmp_path: Path, mixed_schema: Schema) -> None:
    path = tmp_path / "new.csv"
    path.write_text("rate,months,flag,married,purpose,risk\n1,5,0,no,car,\n1,5,0,no,house,good\n1,5,0,no,boat,bad\n")
    with pytest.raises(DataError, match="unknown category 'boat' in row 2"):
        Dataset.read(path, target="risk", schema=mixed_schema)


def test_the_commonest_value_is_cut_off_from_the_rest() -> None:
    found = people(protected=["income"], features={}, cuts={})
    assert "(missing)" not in found.groups("income")
    frame = people().attributes.assign(debt=[0] * 80 + list(range(1, 21)), granted=["no", "yes"] * 50, x=np.arange(100) % 7)
    groups = Dataset.from_frame(frame, target="granted", protected=["debt"]).groups("debt")
    assert {name: int((groups == name).sum()) for name in set(groups)} == {"under 1": 80, "1 or more": 20}


def test_a_protected_attribute_of_one_group_is_noted_or_refused() -> None:
    frame = people().attributes.assign(site="north", granted=["no", "yes"] * 50)
    found = Dataset.from_frame(frame, target="granted", protected=["site"])
    assert found.cleaning is not None
    assert "the protected attribute site has one group only, 'north': there is nothing to compare" in found.cleaning.notes
    with pytest.raises(DataError, match="'site' has one value only, so that there are no groups to compare"):
        Dataset.from_frame(frame, target="granted", protected=["site"], protected_inputs=["site"])


def test_an_error_names_the_file(tmp_path: Path, mixed_schema: Schema) -> None:
    path = tmp_path / "test.csv"
    path.write_text("rate,months,flag,married,purpose,risk\n1,5,0,no,car,good\n1,5,0,no,boat,bad\n")
    with pytest.raises(DataError, match=r"in test\.csv, column 'purpose' has the unknown category 'boat' in row 1"):
        Dataset.read(path, target="risk", schema=mixed_schema)
