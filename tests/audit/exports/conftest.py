"""Records to export: a released bundle, one in which every name is hostile, and one that nothing judged; and the published schemas."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audit.bundle import Audit, Identity
from audit.evidence import Evidence
from audit.exports import Source
from audit.policy import Finding
from classifier.known_answer import KnownAnswer
from classifier.metric import Metric

GOLDEN = Path(__file__).parents[2] / "golden"
#: Markup of every format, a second line, what reverses reading, a control character, and letters of elsewhere.
HOSTILE = 'a<b>&"c"]]>|`x`*y*[z](u): {q} # -- --- %s \' \\ \u202e\x07\n---\nkey: 信用 é'
STARTED = "2026-01-31T13:00:00+01:00"
POLICY = """[policy]
id = "hostile"

[[rule]]
id = "FIRST"
metric = "performance.accuracy"

[[rule]]
metric = "performance.brier"
id = "SECOND"
"""


def _finding(rule: str, **changes: Any) -> Finding:
    metric = Metric("performance.accuracy", 0.5, 0.4, 0.6, 100)
    finding = Finding(
        rule=rule,
        asked="performance.accuracy",
        verdict="pass",
        reason="holds",
        metric=metric,
        check="performance.accuracy",
        sense="min",
        limit=0.3,
        severity="medium",
        set_by=HOSTILE,
        rationale=HOSTILE,
        controls=("eu-ai-act:15.1", "nist-ai-rmf:MEASURE-2.5"),
        violated=False,
    )
    return replace(finding, **changes)


def _fail(rule: str, **changes: Any) -> Finding:
    return _finding(rule, **{"verdict": "fail", "reason": "broken", "violated": True, "limit": 0.9, **changes})


FINDINGS = (
    _finding("FIRST"),
    _fail("SECOND", severity="high", hazard="HAZ-3", requirement="REQ-7"),
    _fail("WAIVED", severity="high", waived_by=f"A. Person, 2099-01-31: {HOSTILE}"),
    _finding("KEPT-BUT-WAIVED", waived_by="B. Person, 2099-01-31: for safety's sake"),
    _finding("UNDECIDED", verdict="inconclusive", reason="undecided", limit=0.5, severity="low"),
    _finding("CERTAINTY", verdict="inconclusive", reason="undecided", limit=0.5, violated=True, severity="low"),
    _finding("NOT-MEASURED", verdict="not_run", reason="no_measurement", metric=None, check=None, controls=()),
    _finding(HOSTILE, asked="performance.brier", metric=Metric("performance.brier", 1e-05, 0.0, 2e-05, 100, bound="upper")),
)


@pytest.fixture(scope="session")
def hostile() -> Audit:
    """One finding of each kind, and names that would be markup if nobody took care."""
    identity = Identity(
        name=HOSTILE,
        classifier="ab" * 32,
        architecture=HOSTILE,
        classes=(HOSTILE, "bad"),
        event="bad",
        favourable=None,
        threshold=0.5,
        features=3,
        data={"test": "cd" * 32, "training": "ef" * 32},
        rows={"test": 100, "training": 300},
        independence="held out",
        source={"name": HOSTILE, "sha256": "01" * 32},
        protected=(HOSTILE,),
        protected_inputs=(),
        declarations={"intended_use": HOSTILE, "licence": HOSTILE},
    )
    metrics = (
        Metric("performance.accuracy", 0.5, 0.4, 0.6, 100),
        Metric("performance.brier", 1e-05, 0.0, 2e-05, 100, bound="upper"),
        Metric.missing("performance.roc_auc", HOSTILE),
    )
    return Audit(
        identity=identity,
        profile="quick",
        seed=7,
        policy={"id": "hostile", "sha256": "23" * 32},
        evidence=(Evidence("performance.accuracy", metrics), Evidence("robustness.text_edits", not_run=HOSTILE)),
        findings=FINDINGS,
        known_answers=(KnownAnswer("performance.exact", HOSTILE, 1.0, 1.0, 0.0),),
        software={"assay": "0.1.0", "torch": "2.13.0+cpu"},
    )


@pytest.fixture(scope="session")
def golden() -> Audit:
    """The record of a released bundle."""
    return Audit.load(GOLDEN / "bundle-v1")


@pytest.fixture(scope="session")
def golden_policy() -> str:
    return (GOLDEN / "bundle-v1" / "policy.toml").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def sources(hostile: Audit, golden: Audit, golden_policy: str) -> dict[str, Source]:
    """Every kind of record that an export may be made of, by its name."""
    unjudged = replace(hostile, findings=(), policy={})
    missed = replace(hostile, known_answers=(KnownAnswer("robustness.linear_exact", HOSTILE, 1.0, 2.0, 0.0),), interrupted=True)
    return {
        "hostile": Source(hostile, POLICY, started=STARTED),
        "golden": Source(golden, golden_policy, started="2026-01-31T00:00:00+00:00"),
        "missed": Source(missed, POLICY, started=STARTED),
        "unjudged": Source(unjudged, None),
    }


@pytest.fixture(scope="session")
def source(sources: dict[str, Source]) -> Source:
    """The hostile one."""
    return sources["hostile"]


@pytest.fixture(scope="session")
def schema_errors() -> Callable[[str, bytes], list[str]]:
    """What is wrong with a JSON document by a schema of the folder ``golden/schemas``."""
    import jsonschema
    import regex
    from jsonschema import validators

    def matches(_: Any, pattern: str, instance: Any, __: Any) -> Any:
        # The patterns of these schemas ask for classes of Unicode, which the standard library's expressions lack.
        if isinstance(instance, str) and not regex.search(pattern, instance):
            yield jsonschema.ValidationError(f"{instance!r} is not {pattern!r}")

    def errors(schema: str, document: bytes) -> list[str]:
        content = json.loads((GOLDEN / "schemas" / schema).read_text(encoding="utf-8"))
        kind = validators.extend(validators.validator_for(content), {"pattern": matches})
        found = kind(content, format_checker=kind.FORMAT_CHECKER).iter_errors(json.loads(document))
        return [f"{error.json_path}: {error.message}" for error in found]

    return errors


@pytest.fixture(scope="session")
def published() -> Path:
    """The folder of the published schemas."""
    return GOLDEN / "schemas"
