"""One small audit of real data, judged and unjudged, that all tests of the report share; and one each of images and of texts."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest

import audit.selftest
from audit import Audit, Policy, Subject, run
from audit.controls import Covered, Matrix, Status
from audit.evidence import Evidence, Figure
from audit.report import drawing
from audit.report.catalogue import read_catalogue
from audit.report.document import Block, Cell, Document, Facts, Grid, Group, Part, Points, Signature
from audit.report.figures import draw_svg
from audit.report.wording import Wording
from classifier import Dataset
from classifier.metric import Metric
from trainer import Recipe, train

TODAY = datetime.date(2026, 1, 1)


def _rule(name: str, metric: str, **limits: object) -> dict[str, object]:
    return {"id": name, "metric": metric, "set_by": "risk committee", "rationale": "a test needs it", **limits}


# One rule for each reason that a finding can have.
RULES = [
    _rule("HOLDS", "data.duplicates_across_splits", max=1000, severity="high"),
    _rule("BROKEN", "performance.log_loss", max=0.01, severity="high", controls=["eu-ai-act:15.1"], hazard="H-2", requirement="R-1"),
    _rule("WAIVED", "performance.brier", max=0.01, severity="low", hazard="H-1"),
    _rule("EXPIRED", "performance.accuracy", min=0.999),
    _rule("UNDECIDED", "performance.roc_auc", min=0.5, on_inconclusive="fail"),
    _rule("NOT-REFUTED", "robustness.accuracy", where={"eps": 0.01, "rows": "valid"}, min=0.01),
    _rule("UNRELIABLE", "robustness.accuracy", where={"eps": 0.01, "rows": "any"}, min=0.01),
    _rule("UNMEASURED", "privacy.membership_tpr", where={"fpr": 0.001}, max=0.5),
    _rule("NO-MEASUREMENT", "robustness.accuracy", where={"eps": 0.77}, min=0.5),
    _rule("UNSET", "performance.balanced_accuracy", limit="unset", requirement="R-2"),
]
WAIVERS = [
    {"rule": "WAIVED", "reason": "until it is calibrated", "owner": "A. Person", "expires": "2027-01-31"},
    {"rule": "EXPIRED", "reason": "until last year", "owner": "B. Person", "expires": "2025-01-31"},
]


# A file of rows from elsewhere, for the check that asks for one.
ELSEWHERE = Path(__file__).parents[3] / "classifier" / "builtin" / "german-credit.csv"
# As quick as they go.
OPTIONS: dict[str, dict[str, object]] = {
    "explanation.attribution": {"limit": 20, "background": 10, "samples": 68},
    "fairness.groups": {"resamples": 200},
    "performance.accuracy": {"resamples": 200},
    "privacy.membership": {"rates": (0.05, 0.001)},
    "data.label_errors": {"resamples": 50},
    "robustness.attack": {"limit": 60, "eps": (0.01, 0.05, 0.2)},
    "robustness.backdoor": {"rows": 10, "steps": 10, "rotations": 2},
    "robustness.bounds": {"limit": 20, "exact": 5, "nodes": 20},
    "robustness.corruptions": {"limit": 40, "resamples": 50},
    "robustness.distance": {"limit": 20, "steps": 5, "targets": 1, "queries": 50},
    "robustness.feature_costs": {"limit": 40, "values": 8},
    "robustness.out_of_distribution": {"limit": 60, "resamples": 50},
    "robustness.smoothing": {"limit": 5, "n": 60, "n0": 10},
    "robustness.text_edits": {"limit": 10, "queries": 60, "tries": 1},
    "robustness.transfer": {"limit": 40, "queries": (20,)},
}


@pytest.fixture(scope="session", autouse=True)
def _drawn_once() -> Iterator[None]:
    """A figure that many pages show is drawn once; that it is the same each time is a test of its own."""
    drawn: dict[tuple[str, ...], str] = {}

    def draw(check: str, figure: Figure, wording: Wording) -> str:
        # A catalogue that remembers what was read must be asked anew.
        key = (type(wording.catalogue.sentences).__name__, wording.catalogue.language, check, repr(figure))
        if key not in drawn:
            drawn[key] = draw_svg(check, figure, wording)
        return drawn[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "draw_svg", draw)
        yield


@pytest.fixture(scope="session")
def policy() -> Policy:
    return Policy.model_validate({"policy": {"id": "test-v1"}, "rule": RULES, "waiver": WAIVERS})


@pytest.fixture(scope="session")
def unjudged(german_credit: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """Every check on German credit, as quick as they go."""
    brought = tmp_path_factory.mktemp("brought") / "model.pkl"
    brought.write_bytes(b"cposix\nsystem\n.")
    # As many epochs as it takes to be better than guessing, which some checks ask for.
    recipe = Recipe("logistic", epochs=30, batch_size=256)
    splits = german_credit.split()
    subject = Subject(
        splits.test,
        classifier=train(splits, recipe, progress=False),
        training=splits.train,
        validation=splits.validation,
        recipe=recipe,
        independence="held out",
        files=(brought,),
        declarations={"intended_use": "to test the report", "review_board": "meets in spring"},
    )
    given = {"robustness.out_of_distribution": {**OPTIONS["robustness.out_of_distribution"], "path": str(ELSEWHERE)}}
    return _measured(subject, options={**OPTIONS, **given})


@pytest.fixture(scope="session")
def images() -> Audit:
    """What is asked of images alone, on bright squares whose place is the class."""
    generator = np.random.default_rng(0)
    labels = np.arange(90) % 3
    pictures = generator.integers(0, 120, (90, 12, 12)).astype(np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        picture[4 * label : 4 * label + 4, :4] = generator.integers(100, 250)
    checks = ("attack", "backdoor", "corruptions", "out_of_distribution")
    return _alone(pd.Series(list(pictures), dtype=object), labels, "image", Recipe("logistic", epochs=20), checks)


@pytest.fixture(scope="session")
def texts() -> Audit:
    """What is asked of texts alone, on sentences with a name and a number that tell nothing, and a word that tells the class."""
    labels = np.arange(80) % 2
    days, names = np.random.default_rng(0).integers(1, 9, 80), ("mary", "james", "linda", "robert")
    said = [f"{names[i % 4]} was {('good', 'bad')[label]} on day {days[i]}" for i, label in enumerate(labels)]
    recipe = Recipe("transformer_text", epochs=20, options={"width": 8, "buckets": 64})
    return _alone(pd.Series(said, dtype=object), labels, "text", recipe, ("text_edits", "invariance"))


def _alone(cases: pd.Series[Any], labels: np.ndarray[Any, Any], modality: str, recipe: Recipe, checks: tuple[str, ...]) -> Audit:
    frame = pd.DataFrame({"case": cases, "y": [f"class {label}" for label in labels]})
    splits = Dataset.from_frame(frame, target="y", modality=modality).split(test=0.4)
    subject = Subject(splits.test, classifier=train(splits, recipe, progress=False), training=splits.train, validation=splits.validation)
    return _measured(
        subject,
        only=tuple(f"robustness.{check}" for check in checks),
        options={k: v for k, v in OPTIONS.items() if k.startswith("robustness.")},
    )


def _measured(subject: Subject, *, options: dict[str, dict[str, object]], only: tuple[str, ...] = ()) -> Audit:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit.selftest, "ENGINES", ("audit.privacy",))
        return run(subject, name="test", profile="quick", only=only, options=options, progress=False)


@pytest.fixture(scope="session")
def judged(unjudged: Audit, policy: Policy) -> Audit:
    """The same, with a finding of every verdict and for every reason."""
    # What the tests say about an undecided rule must not hang on how well so few epochs happen to go.
    wide = replace_metric(unjudged, "performance.accuracy", "performance.roc_auc", low=0.4, high=0.9)
    flagged = replace_metric(wide, "robustness.attack", "robustness.accuracy", where={"rows": "any"}, unreliable="all gradients are zero")
    findings = policy.judge(flagged.evidence, today=TODAY)
    return replace(flagged, policy={"id": policy.policy.id, "sha256": policy.digest}, findings=findings)


@pytest.fixture(scope="session")
def declared(judged: Audit) -> Audit:
    """The same, of which its owner declares all that there are words for."""
    stated = {name: f"{name} of the test" for name in read_catalogue().under("declaration")}
    told = {**stated, "valid_until": "2026-06-30", "prevailing_language": "zh-CN", "review_board": "meets in spring"}
    return replace(judged, identity=replace(judged.identity, declarations=told))


@pytest.fixture(scope="session")
def law() -> Matrix:
    """A control matrix with a clause of each kind."""
    rows = tuple(
        Covered(f"test:{place}", f"clause {place}", status, f"answer {place}", {}, {}, (), ())
        for place, status in enumerate(get_args(Status))
    )
    return Matrix("Law of the test", "its gazette, 2026", rows)


@pytest.fixture(scope="session")
def not_run(judged: Audit, policy: Policy) -> Audit:
    """An audit of sealed data that was interrupted, whose self-test missed an answer, and whose privacy check did not run."""
    membership = judged["privacy.membership"]
    empty = Evidence(check=membership.check, not_run="the classifier is a black box")
    evidence = tuple(empty if e.check == membership.check else e for e in judged.evidence if e.check != "data.quality")
    wrong = tuple(replace(answer, measured=-1.0) for answer in judged.known_answers)
    return replace(judged, evidence=evidence, known_answers=wrong, interrupted=True).without_single()


def replace_evidence(audit: Audit, check: str, change: Callable[[Evidence], Evidence]) -> Audit:
    """The audit with the evidence of one check changed."""
    return replace(audit, evidence=tuple(change(e) if e.check == check else e for e in audit.evidence))


def replace_metric(audit: Audit, check: str, name: str, *, where: dict[str, str] | None = None, **changes: object) -> Audit:
    """The audit with one metric changed, wherever it was measured or as `where` says."""

    def changed(metric: Metric) -> Metric:
        there = metric.name == name and (where or {}).items() <= metric.where.items()
        return replace(metric, **changes) if there else metric  # type: ignore[arg-type]

    return replace_evidence(audit, check, lambda evidence: replace(evidence, metrics=tuple(map(changed, evidence.metrics))))


def blocks_of(blocks: Iterable[Block]) -> Iterator[Block]:
    """Every block, those in groups too."""
    for block in blocks:
        yield block
        if isinstance(block, Group):
            yield from blocks_of(block.blocks)


def cells_of(block: Block) -> list[Cell]:
    """What stands in the cells of a block."""
    match block:
        case Points(items):
            return list(items)
        case Facts(facts):
            return [cell for _, cell in facts]
        case Grid(_, _, rows):
            return [cell for row in rows for cell in row]
    return []


def words_of(part: Part) -> str:
    """All that a part says, in its order, titles and small print included."""
    said = [part.title]
    for block in blocks_of(part.blocks):
        said += [str(getattr(block, name)) for name in ("title", "text", "caption") if hasattr(block, name)]
        if isinstance(block, Facts):
            said += [term for term, _ in block.facts]
        said += [text for cell in cells_of(block) for text in (cell.verdict or "", cell.text, cell.small) if text]
        said += list(block.lines) if isinstance(block, Signature) else []
    return "\n".join(said)


def part_of(document: Document, name: str) -> Part:
    """The part of that id."""
    (found,) = (part for part in document.parts if part.id == name)
    return found
