"""A model card with the metadata of Hugging Face: measured numbers with their intervals, and what is declared as declared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from audit.bundle import Audit
from audit.exports.export import FORMATS, Export, Source
from audit.exports.sentences import VERDICT_WORDS, english, measured, name_of, required, subject_of
from audit.exports.text import markdown, yaml_block
from classifier.metric import Metric

_LIBRARY = "assay"


@FORMATS.register
class ModelCard(Export):
    """The numbers of the room of performance, and those that a rule was judged on; all others stand in the report."""

    file: ClassVar[str] = "model-card.md"

    def content(self, source: Source) -> bytes:
        audit = source.audit
        sections = (
            _details(audit),
            _declared(audit),
            _data(audit),
            _evaluation(audit),
            _verdicts(audit),
            _limits(audit),
        )
        body = "\n".join(line for section in sections for line in (*section, ""))
        return f"---\n{yaml_block(_metadata(audit))}---\n\n# {markdown(audit.identity.name)}\n\n{body}".encode()


def _metadata(audit: Audit) -> dict[str, Any]:
    identity = audit.identity
    licence = identity.declarations.get("licence")
    named = {} if licence is None else {"license": "other", "license_name": licence}
    metrics = [_metric(metric) for metric in _shown(audit)]
    result = {"task": {"type": "other", "name": "classification"}, "dataset": _dataset(audit), "metrics": metrics}
    index = {"model-index": [{"name": identity.name, "results": [result]}]} if metrics else {}
    return {**named, "tags": ["classification", _LIBRARY, identity.architecture], **index}


def _dataset(audit: Audit) -> dict[str, str]:
    source = audit.identity.source
    name = source.get("name") or source.get("path") or audit.identity.name
    return {"type": name, "name": name, **({"revision": source["sha256"]} if "sha256" in source else {})}


def _metric(metric: Metric) -> dict[str, Any]:
    interval = {"low": metric.low, "high": metric.high, "confidence": metric.confidence, "interval": metric.interval}
    stated = {**interval, "n": metric.n, "bound": metric.bound, "where": dict(metric.where)}
    bound = english().bound(metric)
    name = f"{name_of(metric)} ({bound})" if bound else name_of(metric)
    return {"type": metric.name, "name": name, "value": metric.value, "args": stated}


def _shown(audit: Audit) -> tuple[Metric, ...]:
    performance = [metric for evidence in audit.evidence if evidence.check.startswith("performance.") for metric in evidence.metrics]
    judged = [finding.metric for finding in audit.findings if finding.metric is not None]
    metrics = {(metric.name, tuple(sorted(metric.where.items()))): metric for metric in (*performance, *judged) if metric.value is not None}
    return tuple(metrics.values())


def _details(audit: Audit) -> list[str]:
    identity = audit.identity
    facts = {
        "Architecture": identity.architecture,
        "Classes": ", ".join(identity.classes),
        "Event that is predicted": identity.event or "none named",
        "Threshold": f"{identity.threshold:g}",
        "Features": identity.features,
        "SHA-256": identity.classifier or "predictions only",
        "Protected attributes": ", ".join(identity.protected) or "none named",
        "Of these, inputs of the classifier": ", ".join(identity.protected_inputs) or "none",
    }
    return ["## The model", "", *_list(facts.items())]


def _declared(audit: Audit) -> list[str]:
    declared = audit.identity.declarations
    if not declared:
        return ["## Declared, not measured", "", "Nothing is declared: neither the intended use nor who answers for the model."]
    lines = [(name.replace("_", " ").capitalize(), text) for name, text in sorted(declared.items())]
    return ["## Declared, not measured", "", *_list(lines)]


def _data(audit: Audit) -> list[str]:
    identity = audit.identity
    rows = [(part, identity.rows.get(part, "unknown"), digest) for part, digest in sorted(identity.data.items())]
    return [
        "## Data",
        "",
        f"Independence of the test rows: {markdown(identity.independence)}.",
        "",
        *_table(("Part", "Rows", "SHA-256"), rows),
    ]


def _evaluation(audit: Audit) -> list[str]:
    rows = [(name_of(metric), measured(metric)) for metric in _shown(audit)]
    return ["## Measured", "", *_table(("What", "Value"), rows)] if rows else ["## Measured", "", "Nothing was measured."]


def _verdicts(audit: Audit) -> list[str]:
    if not audit.findings:
        return ["## Judged", "", "Nothing was judged: there is no policy."]
    rows = [
        (
            finding.rule,
            VERDICT_WORDS[finding.verdict] + (", accepted" if finding.violated and finding.waived_by is not None else ""),
            finding.severity,
            f"{subject_of(finding)}: {measured(finding.metric)}",
            required(finding),
        )
        for finding in audit.findings
    ]
    policy = f"By the policy {markdown(audit.policy['id'])}. A verdict says whether a limit was met, on these data."
    return ["## Judged", "", policy, "", *_table(("Rule", "Verdict", "Severity", "Measured", "Required"), rows)]


def _limits(audit: Audit) -> list[str]:
    held = sum(answer.holds for answer in audit.known_answers)
    known = f"The engines gave {held} of {len(audit.known_answers)} answers that were known beforehand."
    missing = [(evidence.check, evidence.not_run) for evidence in audit.evidence if evidence.not_run is not None]
    lines = ["## Limits", "", known]
    if audit.interrupted:
        lines += ["", "The audit was stopped before its end."]
    return [*lines, "", "Not measured:", "", *_list(missing)] if missing else lines


def _list(facts: Iterable[tuple[str, object]]) -> list[str]:
    return [f"- **{markdown(name)}**: {markdown(value)}" for name, value in facts]


def _table(heads: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> list[str]:
    lines = [heads, ("---",) * len(heads), *(tuple(markdown(cell) for cell in row) for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]
