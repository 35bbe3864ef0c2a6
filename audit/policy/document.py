"""Policy: rules and waivers, with all that was inherited in its place."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from pydantic import model_validator

from audit.evidence import Evidence
from audit.policy.consistency import fault_among
from audit.policy.deciding import judge_rule
from audit.policy.finding import Finding
from audit.policy.head import PROFILES, PolicyHead
from audit.policy.inheritance import resolve
from audit.policy.rule import Rule
from audit.policy.shipped import shipped_path
from audit.policy.waiver import Waiver
from audit.toml_files import Form
from classifier.errors import ConfigurationError, did_you_mean
from classifier.records import sha256


class Policy(Form):
    """Rules, and the waivers that soften them. What it inherited stands in it, so that it is whole by itself."""

    policy: PolicyHead
    rule: tuple[Rule, ...]
    waiver: tuple[Waiver, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Policy:
        fault = fault_among(self.rule, self.waiver)
        if fault is not None:
            raise ValueError(f"{fault.problem}; {fault.remedy}")
        return self

    @classmethod
    def read(cls, path: str | Path) -> Policy:
        """Read ``policy.toml``, and the policies that it extends.

        Raises:
            ConfigurationError: With file, line and the nearest key.
        """
        head, rules, waivers = resolve(Path(path))
        return cls(policy=head, rule=rules, waiver=waivers)

    @classmethod
    def shipped(cls, name: str) -> Policy:
        """A policy that comes with Assay, ``"baseline"``.

        Raises:
            ConfigurationError: If there is none of that name; the message names the nearest.
        """
        return cls.read(shipped_path(name))

    @property
    def digest(self) -> str:
        """SHA-256 of its content, in a fixed order of keys; of what it inherited too."""
        return sha256(self.model_dump_json().encode())

    def check_metrics(self, known: Iterable[str]) -> None:
        """Refuse a rule about a metric that no check gives."""
        names = list(known)
        for rule in self.rule:
            if rule.metric not in names:
                raise ConfigurationError(
                    f"the rule {rule.id!r} asks for the metric {rule.metric!r}, which no check gives",
                    remedy=did_you_mean(rule.metric, names),
                )

    def check_profile(self, profile: str) -> None:
        """Refuse to judge an audit of a profile that measures less than the one required."""
        required = self.policy.profile
        if required is not None and profile not in PROFILES[PROFILES.index(required) :]:
            raise ConfigurationError(
                f"the policy {self.policy.id!r} requires the profile {required!r}, got {profile!r}",
                remedy=f'set profile = "{required}" under [audit]',
            )

    def check_controls(self, known: Iterable[str]) -> None:
        """Refuse a rule that serves a clause which no catalogue of controls has."""
        names = set(known)
        for rule in self.rule:
            for control in rule.controls:
                if control not in names:
                    law = control.partition(":")[0]
                    near = [name for name in names if name.startswith(f"{law}:")] or sorted({name.partition(":")[0] for name in names})
                    raise ConfigurationError(
                        f"the rule {rule.id!r} serves {control!r}, which is in no catalogue of controls", remedy=did_you_mean(control, near)
                    )

    def check_groups(self, groups: Mapping[str, Collection[str]]) -> None:
        """Refuse a rule about a group that is not in the data: nothing could ever be measured of it.

        Args:
            groups: The groups of each protected attribute; those of an attribute may be empty while the data are not read.
        """
        for rule in self.rule:
            attribute = rule.where.get("attribute")
            if attribute is None:
                continue
            if attribute not in groups:
                raise ConfigurationError(
                    f"the rule {rule.id!r} is about the groups of {attribute!r}, which is no protected attribute of this audit",
                    remedy=did_you_mean(attribute, groups),
                )
            group, known = rule.where.get("group"), groups[str(attribute)]
            if group is not None and known and str(group) not in known:
                raise ConfigurationError(
                    f"the rule {rule.id!r} is about the group {group!r} of {attribute!r}, which the data do not have",
                    remedy=did_you_mean(group, known),
                )

    def judge(self, evidence: Iterable[Evidence], *, today: datetime.date) -> tuple[Finding, ...]:
        """One finding for each rule.

        Args:
            evidence: What was measured.
            today: The day on which waivers are held against their expiry.
        """
        measured = [(e.check, metric) for e in evidence for metric in e.metrics]
        waived = {waiver.rule: waiver for waiver in self.waiver if today <= waiver.expires}
        return tuple(judge_rule(rule, measured, waived.get(rule.id)) for rule in self.rule)
