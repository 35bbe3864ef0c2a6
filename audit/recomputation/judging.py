"""Every verdict once more, from ``policy.toml`` and the metrics of the record.

This is written after the design, not after `audit.policy`, and imports nothing of it: who judged does not vouch for the verdict.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from audit.recomputation.policy_file import POLICY, PolicyText, read_policy
from audit.recomputation.record import Json, Record, read_json

# What is asked of who examines, beside the rules.
_INDEPENDENCE = "INDEPENDENCE"
# The worst of several measurements decides.
_WORST_FIRST = ("fail", "inconclusive", "not_run", "pass")
# A bound shows one side only: attacks that failed refute nothing, proofs that are missing confirm nothing.
_CONFIRMS, _REFUTES = (
    {"min": ("estimate", "lower"), "max": ("estimate", "upper")},
    {"min": ("estimate", "upper"), "max": ("estimate", "lower")},
)
# The day on which waivers were held against their expiry is that of the run, in a time zone that is not told.
_ZONES = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Rejudged:
    """What came of judging once more.

    Args:
        findings: How many there are.
        by_policy: How many of them were judged by a rule that stands in ``policy.toml``.
        by_limit: How many by the limit that they state, since their rule stands in no file of the bundle.
        differing: What differs, in words. What is in neither number rests on no measurement.
    """

    findings: int
    by_policy: int
    by_limit: int
    differing: tuple[str, ...]


def judge_again(record: Record) -> Rejudged:
    """Judge every finding of a record once more.

    Raises:
        IntegrityError: If the policy cannot be read, or is another than the record was judged by.
    """
    policy = read_policy(record)
    with record.understanding():
        return _judge_again(record, policy)


def _judge_again(record: Record, policy: PolicyText | None) -> Rejudged:
    said = policy if policy is not None else PolicyText(whole=False)
    metrics = [metric for evidence in record.evidence.values() for metric in evidence["metrics"]]
    differing = list(_other_policy(record, policy))
    told = [finding["rule"] for finding in record.findings]
    by_policy = by_limit = 0
    day = _day(record)
    for finding in record.findings:
        name = finding["rule"]
        rule = said.rules.get(name)
        independence = rule is None and name == _INDEPENDENCE and finding["sense"] == "independent"
        by_policy += rule is not None or independence
        by_limit += rule is None and not independence and finding["metric"] is not None
        if independence:
            differing += _independence(finding, record.identity["declarations"], said)
        elif rule is None and said.whole:
            differing.append(f"{name}: the record has a finding, and the policy no such rule")
        elif rule is None and finding["metric"] is None and finding["verdict"] != "not_run":
            differing.append(f"{name}: the verdict is stored as {finding['verdict']!r}, and rests on no measurement")
        else:
            differing += _differences(finding, rule, metrics)
        differing += _waived(finding, said.waivers, day)
    asked = [*said.rules, *([_INDEPENDENCE] if said.asks_independence else [])]
    differing += [f"{name}: the policy has that rule, and the record no finding" for name in asked if name not in told]
    differing += [
        f"{name}: the record has {told.count(name)} findings of that rule" for name in dict.fromkeys(told) if told.count(name) > 1
    ]
    return Rejudged(len(told), by_policy, by_limit, tuple(differing))


def outcome(record: Record) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """The rules that hold, those that hold with a reservation, and those that are violated, as an auditor signs them."""
    failed = [f["rule"] for f in record.findings if f["violated"] and f["waived_by"] is None]
    passed = [f["rule"] for f in record.findings if f["verdict"] == "pass" and f["rule"] not in failed]
    warned = [f["rule"] for f in record.findings if f["rule"] not in (*failed, *passed)]
    return tuple(passed), tuple(warned), tuple(failed)


def _other_policy(record: Record, policy: PolicyText | None) -> Iterable[str]:
    """Whether what lies in the bundle is what the record was judged by. A copy leaves out no policy."""
    stated = record.content["policy"].get("sha256")
    if policy is None and (stated is not None or record.findings):
        yield f"{POLICY} is not in the bundle, and the record was judged by one"
    elif policy is not None and policy.whole and policy.digest != stated:
        yield f"the digest of the policy is stored as {stated!r}, and that of {POLICY} is {policy.digest!r}"


def _day(record: Record) -> datetime.date | None:
    """The day on which the audit began, where the bundle tells."""
    run = read_json(record.bundle, "run.json") if "run.json" in record.bundle.files else {}
    started = run.get("started") if isinstance(run, dict) else None
    return datetime.datetime.fromisoformat(started).date() if isinstance(started, str) else None


def _same(measured: object, asked: object) -> bool:
    """Whether a rule asks for a place: a group may be called 1 in the one and "1" in the other."""
    return measured == asked or (measured is not None and str(measured) == str(asked))


def _differences(finding: Json, rule: Json | None, metrics: list[Json]) -> Iterable[str]:
    name = finding["rule"]
    if rule is None:
        sense, limit = finding["sense"], finding["limit"]
        judged = [finding["metric"]]
        if finding["metric"] not in metrics:
            yield f"{name}: it is judged by a measurement that the record does not hold"
    else:
        sense, limit = next(((sense, rule[sense]) for sense in ("min", "max") if sense in rule), ("unset", None))
        where = rule.get("where", {})
        judged = [m for m in metrics if m["name"] == rule["metric"] and all(_same(m["where"].get(key), where[key]) for key in where)]
        for field in ("severity", "set_by", "rationale"):
            if field in rule and finding[field] != rule[field]:
                yield f"{name}: {field} is stored as {finding[field]!r}, and the policy says {rule[field]!r}"
    if (finding["sense"], finding["limit"]) != (sense, limit):
        yield f"{name}: the limit is stored as {finding['sense']} {finding['limit']}, and the policy says {sense} {limit}"
    verdict, deciding = _judge(sense, limit, judged)
    if verdict != finding["verdict"]:
        yield f"{name}: the verdict is stored as {finding['verdict']!r}, and the policy and the metrics give {verdict!r}"
        return
    if verdict == "pass" and finding["metric"] is None:
        yield f"{name}: the verdict is stored as 'pass', without the measurement that it rests on"
    if finding["metric"] is not None and finding["metric"] not in deciding:
        yield f"{name}: another measurement decides than the one that is stored"
    strict = rule is not None and rule.get("on_inconclusive") == "fail"
    unknown = rule is None and verdict == "inconclusive"
    if not unknown and finding["violated"] != (verdict == "fail" or (verdict == "inconclusive" and strict)):
        yield f"{name}: violated is stored as {finding['violated']}, and the verdict is {verdict!r}"


def _independence(finding: Json, declarations: Json, policy: PolicyText) -> Iterable[str]:
    """Who declares nothing, or the same name twice, is not independent. Whose keys signed, no bundle tells."""
    if policy.whole and not policy.asks_independence:
        yield f"{finding['rule']}: the record has a finding, and the policy does not ask for independence"
    developer, validator = (" ".join(declarations.get(name, "").split()).casefold() for name in ("developer", "validator"))
    if not developer or not validator:
        possible: tuple[str, ...] = ("not_run", "fail")
    else:
        possible = ("fail",) if developer == validator else ("pass", "fail")
    if finding["verdict"] not in possible:
        yield f"{finding['rule']}: the verdict is stored as {finding['verdict']!r}, and the declarations give {possible[0]!r}"
    if finding["violated"] != (finding["verdict"] == "fail"):
        yield f"{finding['rule']}: violated is stored as {finding['violated']}, and the verdict is {finding['verdict']!r}"


def _judge(sense: str, limit: float | None, metrics: list[Json]) -> tuple[str, list[Json]]:
    """The worst verdict of some measurements, and those that come to it."""
    verdicts = [_verdict(sense, limit, metric) for metric in metrics]
    if not verdicts:
        return "not_run", []
    worst = min(verdicts, key=_WORST_FIRST.index)
    return worst, [metric for metric, verdict in zip(metrics, verdicts, strict=True) if verdict == worst]


def _verdict(sense: str, limit: float | None, metric: Json) -> str:
    low, high, bound = metric["low"], metric["high"], metric.get("bound", "estimate")
    if low is None or limit is None:
        return "not_run"
    broken = high < limit if sense == "min" else low > limit
    holds = low >= limit if sense == "min" else high <= limit
    if broken and bound in _REFUTES[sense]:
        return "fail"
    # Signs that a number is not to be relied on leave a broken limit broken, and decide nothing else.
    return "pass" if holds and bound in _CONFIRMS[sense] and not metric.get("unreliable") else "inconclusive"


def _waived(finding: Json, waivers: Mapping[str, Sequence[Json]], day: datetime.date | None) -> Iterable[str]:
    """A waiver that counts is one that the policy has and that had not expired."""
    said, name = finding["waived_by"], finding["rule"]
    known = [(f"{w['owner']}, {w['expires'].isoformat()}: {w['reason']}", w["expires"]) for w in waivers.get(name, ())]
    if said is not None and not any(said == words and (day is None or expires >= day - _ZONES) for words, expires in known):
        yield f"{name}: it is stored as waived by {said!r}, and no waiver of the policy says so and had not expired"
    if said is None and day is not None and any(expires > day + _ZONES for _, expires in known):
        yield f"{name}: it is stored as not waived, and the policy waives it"
