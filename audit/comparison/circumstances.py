"""Circumstances: what must be alike for two audits to be compared at all, and what else is not and has to be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from audit.bundle import Audit
from audit.comparison.difference import Notice
from classifier.errors import ConfigurationError


def require_alike(baseline: Audit, profile: str, classes: Sequence[str], event: str | None, favourable: str | None) -> None:
    """Refuse to compare audits whose numbers answer different questions; the new one need not have been run yet.

    Args:
        baseline: The audit to compare with.
        profile: The profile of the new one.
        classes: Its classes.
        event: The class that it predicts, of two.
        favourable: The class that the person concerned wants.

    Raises:
        ConfigurationError: If the profiles, the classes, the event or the favourable class differ.
    """
    if baseline.profile != profile:
        raise ConfigurationError(
            f"the old audit has the profile {baseline.profile!r} and the new one {profile!r}, required is the same profile of both",
            remedy=f'run the new audit again with profile = "{baseline.profile}" under [audit]',
        )
    told = baseline.identity
    for what, before, after in (
        ("classes", tuple(told.classes), tuple(classes)),
        ("event", told.event, event),
        ("favourable class", told.favourable, favourable),
    ):
        if before != after:
            raise ConfigurationError(
                f"the {what} of the old audit: {_said(before)}; of the new one: {_said(after)}; required is the same of both",
                remedy="compare audits of the same question",
            )


def notices(old: Audit, new: Audit) -> tuple[Notice, ...]:
    """What is not alike beside the measurements and the rules, what weighs most first."""
    return (*_whole(old, new), *_policy(old, new), *_data(old, new), *_identity(old, new), *_software(old, new))


def _whole(old: Audit, new: Audit) -> Iterator[Notice]:
    missed = [sum(not answer.holds for answer in audit.known_answers) for audit in (old, new)]
    if any(missed):
        yield Notice("known_answers", str(missed[0]), str(missed[1]), grave=True)
    if old.interrupted or new.interrupted:
        yield Notice("interrupted", _yes(old.interrupted), _yes(new.interrupted), grave=True)


def _policy(old: Audit, new: Audit) -> Iterator[Notice]:
    before, after = dict(old.policy), dict(new.policy)
    if before.get("sha256") != after.get("sha256"):
        # Rules in one audit alone have no verdict to stand against.
        yield Notice("policy", _policy_name(before), _policy_name(after), grave=not before or not after)


def _policy_name(policy: Mapping[str, str]) -> str:
    return f"{policy.get('id', '')} ({policy.get('sha256', '')[:12]})" if policy else ""


def _data(old: Audit, new: Audit) -> Iterator[Notice]:
    before, after = old.identity, new.identity
    for part in sorted(before.data.keys() | after.data.keys()):
        if before.data.get(part) != after.data.get(part):
            yield Notice("data", _part(old, part), _part(new, part), of=part)
    if before.source != after.source:
        yield Notice("source", _source(before.source), _source(after.source))


def _part(audit: Audit, part: str) -> str:
    identity = audit.identity
    return f"{identity.rows.get(part, 0)} ({identity.data[part][:12]})" if part in identity.data else ""


def _source(source: Mapping[str, str]) -> str:
    return f"{source.get('name', '')} ({source.get('sha256', '')[:12]})" if source else ""


def _identity(old: Audit, new: Audit) -> Iterator[Notice]:
    before, after = old.identity, new.identity
    yield from _told("classifier", (before.classifier or "")[:12], (after.classifier or "")[:12])
    for name in ("name", "architecture", "features", "threshold", "independence", "protected", "protected_inputs"):
        yield from _told(name, getattr(before, name), getattr(after, name))
    yield from _told("seed", old.seed, new.seed)
    yield from _told("trust", old.trust, new.trust)
    for name in sorted(before.declarations.keys() | after.declarations.keys()):
        yield from _told("declaration", before.declarations.get(name, ""), after.declarations.get(name, ""), of=name)


def _software(old: Audit, new: Audit) -> Iterator[Notice]:
    for name in sorted(old.software.keys() | new.software.keys()):
        yield from _told("software", old.software.get(name, ""), new.software.get(name, ""), of=name)


def _told(name: str, before: Any, after: Any, *, of: str = "") -> Iterator[Notice]:
    if before != after:
        yield Notice(name, _said(before), _said(after), of=of)


def _said(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_said(entry)}" for name, entry in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"
