"""``assay init``: what it writes can be run, whatever the table is like."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.check import metric_names
from audit.configuration import Configuration
from audit.policy import Policy
from audit.starter import write_starter
from classifier import Dataset
from classifier.errors import ConfigurationError, DataError

ROWS = 200


def table(**columns: object) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    income = generator.normal(50, 10, ROWS).round(1)
    default = np.where(income + generator.normal(0, 8, ROWS) < 45, "yes", "no")
    return pd.DataFrame({"income": income, **columns, "default": default})


def started(folder: Path, frame: pd.DataFrame, *, name: str = "loans.csv", target: str = "default", separator: str = ",") -> Configuration:
    """Write the table and the starter, and read both files back."""
    frame.to_csv(folder / name, index=False, sep=separator)
    configuration, policy = write_starter(folder / name, folder, target=target)
    rules = Policy.read(policy)
    rules.check_metrics(metric_names())
    return Configuration.read(configuration)


def test_german_credit_gets_its_protected_attributes_and_the_rarer_class_as_event(tmp_path: Path, german_credit: Dataset) -> None:
    frame = german_credit.frame().rename(columns={"(class)": "credit_risk"})
    frame = frame.join(german_credit.attributes)
    settings = started(tmp_path, frame, target="credit_risk")
    assert settings.data.event == "bad"
    assert settings.decision.favourable == "good"
    assert set(settings.data.protected) == {"age_years", "personal_status_sex", "foreign_worker"}
    splits = settings.read_splits(tmp_path)
    assert sum(len(part) for part in (splits.train, splits.validation, splits.test)) == 1000


def test_a_nasty_table_loses_what_is_no_input_and_keeps_the_rest(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    frame = table(
        number=range(ROWS),
        customer=[f"C{i:05d}" for i in range(ROWS)],
        opened=pd.date_range("2020-01-01", periods=ROWS).strftime("%Y-%m-%d"),
        note=[f'he said "{i}"; and\nleft' for i in range(ROWS)],
        country="DE",
        rate=np.where(generator.random(ROWS) < 0.1, "", generator.random(ROWS).round(3).astype(str)),
        home=np.where(generator.random(ROWS) < 0.1, "NA", generator.choice(["own", "rent"], ROWS)),
    )
    settings = started(tmp_path, frame, name="_nasty table.csv", separator=";")
    assert settings.audit.name == "nasty-table"
    assert settings.data.drop == ("number", "customer", "opened", "note")
    train = settings.read_splits(tmp_path).train
    assert train.schema.names == ("income", "rate", "home")
    assert train.cleaning is not None
    assert train.cleaning.constant == ("country",)


def test_ten_classes_have_no_event_and_no_group_rule(tmp_path: Path) -> None:
    frame = table(sex=["f", "m"] * (ROWS // 2), digit=[f"d{i % 10}" for i in range(ROWS)]).drop(columns="default")
    settings = started(tmp_path, frame, target="digit")
    assert settings.data.event is None
    assert settings.decision.favourable is None
    assert not [rule for rule in Policy.read(tmp_path / "policy.toml").rule if rule.metric.startswith("fairness")]
    assert len(settings.read_splits(tmp_path).test.classes) == 10


@pytest.mark.parametrize(
    ("values", "protected"),
    [
        ([25.0 + i % 40 for i in range(ROWS)], True),
        (["f"] * 100 + ["m"] * 100, True),
        (["f"] * 195 + ["m"] * 5, False),  # a group that could not be compared
        (["f"] * 100 + ["m"] * 97 + [""] * 3, False),  # those of unknown sex are a group of 3
        ([25.0 + i % 40 for i in range(ROWS - 4)] + [""] * 4, False),
        ([0.0] * 196 + [1.0, 2.0, 3.0, 4.0], False),
    ],
)
def test_an_attribute_is_proposed_as_protected_where_its_groups_are_large(tmp_path: Path, values: list[object], protected: bool) -> None:
    settings = started(tmp_path, table(sex=values))
    assert settings.data.protected == (("sex",) if protected else ())
    settings.read_splits(tmp_path)


def test_names_that_only_contain_a_protected_word_are_not_proposed(tmp_path: Path) -> None:
    column = ["f", "m"] * (ROWS // 2)
    settings = started(tmp_path, table(sexton=column, mortgage=column, customer_age=[20 + i % 50 for i in range(ROWS)]))
    assert settings.data.protected == ("customer_age",)


def test_names_with_quotes_and_other_scripts_survive(tmp_path: Path) -> None:
    frame = table(**{'the "rate"': np.linspace(0, 1, ROWS), "收入\\元": np.linspace(1, 9, ROWS)})
    settings = started(tmp_path, frame, name="数据.csv")
    assert settings.audit.name == "audit"
    assert settings.data.path == "数据.csv"
    assert "收入\\元" in settings.read_splits(tmp_path).train.schema.names


def test_an_existing_file_is_refused_and_nothing_is_touched(tmp_path: Path) -> None:
    frame = table()
    frame.to_csv(tmp_path / "loans.csv", index=False)
    (tmp_path / "policy.toml").write_text("mine")
    with pytest.raises(ConfigurationError, match=r"policy\.toml exists; move it"):
        write_starter(tmp_path / "loans.csv", tmp_path, target="default")
    assert (tmp_path / "policy.toml").read_text() == "mine"
    assert not (tmp_path / "audit.toml").exists()


def test_what_cannot_be_used_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    table().to_csv(tmp_path / "loans.csv", index=False)
    with pytest.raises(ConfigurationError, match="no column 'defualt'; did you mean 'default'"):
        write_starter(tmp_path / "loans.csv", tmp_path, target="defualt")
    with pytest.raises(DataError, match="continuous value"):
        write_starter(tmp_path / "loans.csv", tmp_path, target="income")
    with pytest.raises(ConfigurationError, match="no class 'yse'; did you mean 'yes'"):
        write_starter(tmp_path / "loans.csv", tmp_path, target="default", event="yse")
    (tmp_path / "twice.csv").write_text("a,a,y\n" + "1,2,b\n2,1,c\n" * 20)
    with pytest.raises(DataError, match="two columns 'a'"):
        write_starter(tmp_path / "twice.csv", tmp_path, target="y")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["loans.csv", "twice.csv"]


def test_what_only_the_owner_can_say_of_robustness_is_asked_and_not_presumed(tmp_path: Path) -> None:
    started(tmp_path, table())
    unset = {rule.metric.partition(".")[2]: rule for rule in Policy.read(tmp_path / "policy.toml").rule if rule.limit == "unset"}
    assert {"accuracy", "certified_accuracy", "mean_corruption_accuracy", "single_feature_share", "ood_auroc"} <= set(unset)
    assert all(rule.set_by == "unset, ask the model's owner" for rule in unset.values())
