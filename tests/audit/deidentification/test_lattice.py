"""The search: held against every combination of levels, looked at one by one with sets and dictionaries."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from audit.deidentification import Closeness, Column, Deidentified, Diversity, Plan, deidentify
from audit.deidentification.cells import read_cells
from audit.deidentification.classes import group_rows
from audit.deidentification.ladder import Ladder, build_ladder
from audit.deidentification.lattice import Lattice, find_levels
from audit.deidentification.losses import column_loss, combined
from audit.deidentification.plan import LossName
from audit.deidentification.requirements import Requirements
from classifier.errors import ConfigurationError

LIMITS = (
    {},
    {"diversity": Diversity(l=2)},
    {"diversity": Diversity(kind="entropy", l=1.6)},
    {"diversity": Diversity(kind="recursive", l=2, c=1.5)},
    {"closeness": Closeness(t=0.3)},
    {"closeness": Closeness(t=0.25, distance="ordered")},
    {"diversity": Diversity(l=2), "closeness": Closeness(t=0.4)},
)
QUASI = {
    "a": {"widths": (2.0, 4.0)},
    "b": {"hierarchy": {"0": ("low", "some"), "1": ("low", "some"), "2": ("high", "some"), "3": ("none", "none")}},
    "c": {"prefixes": (1,)},
}
ROWS = st.lists(
    st.tuples(st.integers(0, 7), st.integers(0, 3), st.sampled_from(["aa", "ab", "ba", ""]), st.integers(0, 3)), min_size=1, max_size=24
)


def make_plan(*, k: int, share: float, limit: dict[str, object], loss: str, weight: float) -> Plan:
    columns = {name: Column(action="generalise", role="quasi", **options) for name, options in QUASI.items()}  # type: ignore[arg-type]
    columns["b"] = columns["b"].model_copy(update={"weight": weight})
    columns["s"] = Column(action="keep", role="sensitive", **limit)  # type: ignore[arg-type]
    return Plan(dataset="d", k=k, max_suppressed=share, loss=loss, columns=columns)  # type: ignore[arg-type]


def class_holds(values: list[int], everyone: list[int], plan: Plan) -> bool:
    """Whether a class is large, varied and near enough, by the definitions."""
    limits, counts = plan.columns["s"], Counter(values)
    if len(values) < (plan.k or 1):
        return False
    ranked = sorted(counts.values(), reverse=True)
    if limits.diversity and limits.diversity.kind == "distinct" and len(counts) < limits.diversity.l:
        return False
    if limits.diversity and limits.diversity.kind == "entropy":
        entropy = -sum(n / len(values) * math.log(n / len(values)) for n in ranked)
        if entropy < math.log(limits.diversity.l) - 1e-9:
            return False
    if limits.diversity and limits.diversity.kind == "recursive":
        assert limits.diversity.c is not None
        if not ranked[0] < limits.diversity.c * sum(ranked[int(limits.diversity.l) - 1 :]):
            return False
    if limits.closeness:
        domain = sorted(set(everyone))
        if limits.closeness.distance == "equal":
            distance = sum(abs(values.count(v) / len(values) - everyone.count(v) / len(everyone)) for v in domain) / 2
        else:
            ranks = {value: rank for rank, value in enumerate(domain)}
            distance = wasserstein_distance([ranks[v] for v in values], [ranks[v] for v in everyone]) / max(1, len(domain) - 1)
        if distance > limits.closeness.t + 1e-9:
            return False
    return True


def cell_loss(loss: str, ladder: Ladder, level: int, value: int, counts: np.ndarray) -> float:
    """What one cell loses at a level, by the definitions."""
    group = [other for other in range(len(counts)) if ladder.codes[level][other] == ladder.codes[level][value]]
    if loss == "precision":
        return level / ladder.height
    if loss == "entropy":
        whole = -sum(n * math.log2(n / counts.sum()) for n in counts) / counts.sum()
        return math.log2(counts[group].sum() / counts[value]) / whole if whole else 0.0
    if " to under " in str(label := ladder.labels[level][ladder.codes[level][value]]):
        numbers = [float(number) for number in ladder.labels[0]]
        low, high = (np.clip(float(edge), min(numbers), max(numbers)) for edge in str(label).split(" to under "))
        return float((high - low) / (max(numbers) - min(numbers))) if len(numbers) > 1 else 0.0
    return len(group) / len(counts) if len(group) > 1 else 0.0


def by_force(frame: pd.DataFrame, plan: Plan) -> float | None:
    """The least loss of all combinations of levels; ``None`` where none holds."""
    cells = {name: read_cells(frame[name], name) for name in QUASI}
    ladders = {name: build_ladder(name, plan.columns[name], cells[name], top=True) for name in QUASI}
    weights = np.array([plan.columns[name].weight for name in QUASI])
    sensitive = frame["s"].tolist()
    best = None
    for levels in product(*(range(ladder.height + 1) for ladder in ladders.values())):
        at = dict(zip(QUASI, levels, strict=True))
        classes = defaultdict(list)
        for row in range(len(frame)):
            classes[tuple(ladders[name].codes[at[name]][cells[name].codes[row]] for name in QUASI)].append(row)
        out = {row for rows in classes.values() if not class_holds([sensitive[row] for row in rows], sensitive, plan) for row in rows}
        if len(out) > math.floor(plan.max_suppressed * len(frame) + 1e-9):
            continue
        losses = [
            np.mean(
                [
                    cell_loss(
                        plan.loss,
                        ladders[name],
                        ladders[name].height if row in out else at[name],
                        cells[name].codes[row],
                        cells[name].counts,
                    )
                    if plan.loss != "ncp" or row not in out
                    else 1.0
                    for row in range(len(frame))
                ]
            )
            for name in QUASI
        ]
        loss = float(weights @ losses / weights.sum())
        best = loss if best is None else min(best, loss)
    return best


def loss_of(found: Deidentified, plan: Plan) -> float:
    (value,) = [m.value for m in found.report.loss if m.name == f"deidentification.{plan.loss}_loss"]
    assert value is not None
    return value


def check(rows: list[tuple[int, int, str, int]], plan: Plan) -> None:
    frame = pd.DataFrame(rows, columns=["a", "b", "c", "s"])
    expected = by_force(frame, plan)
    if expected is None:
        with pytest.raises(ConfigurationError, match="no levels meet what is required"):
            deidentify(frame, plan)
        return
    found = deidentify(frame, plan)
    assert loss_of(found, plan) == pytest.approx(expected, abs=1e-9)
    assert len(frame) - len(found.frame) <= plan.max_suppressed * len(frame) + 1e-9
    released = found.frame.fillna("").groupby(["a", "b", "c"])["s"].apply(list)
    assert all(class_holds([int(value) for value in values], frame["s"].tolist(), plan) for values in released)


@pytest.mark.parametrize("examples", [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_no_combination_of_levels_loses_less_and_every_released_class_holds(examples: int) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(rows=ROWS, k=st.integers(1, 5), share=st.sampled_from([0.0, 0.1, 0.34]), limit=st.sampled_from(LIMITS),
           loss=st.sampled_from(["ncp", "precision", "entropy"]), weight=st.sampled_from([1.0, 3.0]))  # fmt: skip
    def search(rows: list[tuple[int, int, str, int]], k: int, share: float, limit: dict[str, object], loss: str, weight: float) -> None:
        check(rows, make_plan(k=k, share=share, limit=limit, loss=loss, weight=weight))

    search()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("budget", [0, 40, 200])
@pytest.mark.parametrize("loss", ["ncp", "entropy"])
def test_what_is_passed_over_loses_no_less_on_long_ladders(seed: int, budget: int, loss: LossName) -> None:
    """Many combinations whose losses lie near each other: each is looked at here, by the same eyes."""
    generator = np.random.default_rng(seed)
    cells = [read_cells(pd.Series(generator.integers(0, 64, 400)), "c") for _ in range(3)]
    column = Column(action="generalise", role="quasi", widths=(2, 4, 8, 16, 32))
    ladders = [build_ladder("c", column, each, top=True) for each in cells]
    base, _ = group_rows(np.stack([each.codes for each in cells]), [len(each.values) for each in cells])
    losses = combined([column_loss(loss, ladder, each.counts) for ladder, each in zip(ladders, cells, strict=True)], [1.0, 2.0, 1.5])
    choices = [range(ladder.height + 1) for ladder in ladders]
    everything = Lattice(base, ladders, losses, Requirements(4))
    holding = [judged.loss for node in product(*choices) if (judged := everything.judge(node)).suppressed <= budget]
    found = find_levels(Lattice(base, ladders, losses, Requirements(4)), choices, budget)
    assert found.best is not None
    assert found.best.loss == pytest.approx(min(holding), abs=1e-12)
    assert found.judged < found.nodes


def test_most_combinations_need_not_be_looked_at() -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({name: generator.integers(0, 64, 3000) for name in "abcde"})
    columns = {name: Column(action="generalise", role="quasi", widths=(2, 4, 8, 16)) for name in frame}
    report = deidentify(frame, Plan(dataset="d", k=5, columns=columns)).report
    assert report.nodes == 6**5
    assert report.judged < report.nodes / 5


def test_what_the_error_names_as_nearest_does_hold() -> None:
    frame = pd.DataFrame({"a": [1, 1, 1, 2, 2, 3], "s": [0, 1, 0, 1, 0, 1]})
    columns = {"a": Column(action="keep", role="quasi"), "s": Column(action="keep")}
    with pytest.raises(ConfigurationError) as caught:
        deidentify(frame, Plan(dataset="d", k=3, max_suppressed=0.2, columns=columns))
    assert "leave out 3 of 6 rows, allowed are 1" in caught.value.problem
    assert caught.value.remedy.startswith("max_suppressed = 0.5 or k = 2 or")
    assert len(deidentify(frame, Plan(dataset="d", k=3, max_suppressed=0.5, columns=columns)).frame) == 3
    assert len(deidentify(frame, Plan(dataset="d", k=2, max_suppressed=0.2, columns=columns)).frame) == 5


@pytest.mark.parametrize("seed", range(60))
def test_a_k_that_the_error_names_does_hold(seed: int) -> None:
    """With diversity, closeness and persons, which fail for other reasons than size."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame({"q": generator.integers(0, 4, 24), "s": generator.integers(0, 3, 24), "p": generator.integers(0, 9, 24)})
    columns = {"q": Column(action="keep", role="quasi"), "p": Column(action="drop")}
    columns["s"] = Column(action="keep", role="sensitive", **LIMITS[seed % len(LIMITS)])  # type: ignore[arg-type]
    plan = Plan(dataset="d", k=8, max_suppressed=0.3, person="p" if seed % 2 else None, columns=columns)
    try:
        deidentify(frame, plan)
    except ConfigurationError as error:
        for k in re.findall(r"\bk = (\d+)", error.remedy):
            deidentify(frame, plan.model_copy(update={"k": int(k)}))
            if int(k) < 7:
                with pytest.raises(ConfigurationError):
                    deidentify(frame, plan.model_copy(update={"k": int(k) + 1}))


def test_k_is_not_named_where_something_else_fails() -> None:
    frame = pd.DataFrame({"q": ["a"] * 4 + ["b"] * 3, "s": ["u"] * 4 + ["w", "v", "w"]})
    columns = {"q": Column(action="keep", role="quasi"), "s": Column(action="keep", role="sensitive", diversity=Diversity(l=2))}
    with pytest.raises(ConfigurationError) as caught:
        deidentify(frame, Plan(dataset="d", k=5, columns=columns))
    assert " k = " not in caught.value.remedy


def test_too_many_combinations_are_refused_before_any_is_listed() -> None:
    frame = pd.DataFrame({f"c{i}": [0, 1] for i in range(20)})
    columns = {name: Column(action="generalise", role="quasi", widths=(2, 4)) for name in frame}
    with pytest.raises(ConfigurationError, match=r"1,099,511,627,776 combinations of levels, at most 200,000"):
        deidentify(frame, Plan(dataset="d", k=2, columns=columns))
