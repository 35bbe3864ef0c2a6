"""Inheritance: a policy file, and the policies that it builds on, as one list of rules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from audit.policy.consistency import Fault, fault_among
from audit.policy.head import PROFILES, PolicyHead, Profile
from audit.policy.rule import Rule
from audit.policy.shipped import shipped_path, shipped_policies
from audit.policy.waiver import Waiver
from audit.toml_files import Form, line_of, read_toml
from classifier.errors import ConfigurationError, did_you_mean

_SUFFIX = ".toml"


class PolicyFileHead(PolicyHead):
    """``[policy]`` in a file: what a policy is called, what it asks, and what it builds on.

    Args:
        extends: What it builds on: policies that come with Assay, by name, and files ending in ``.toml``, from the folder of this
            one. A rule of the same id replaces the one that is inherited; of two that are, the later stays.
        remove: Ids of inherited rules to leave out.
    """

    extends: str | tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    @property
    def parents(self) -> tuple[str, ...]:
        """What it builds on, one or several."""
        return (self.extends,) if isinstance(self.extends, str) else self.extends


class PolicyFile(Form):
    """A ``policy.toml``: the head, the rules, and the waivers that soften them."""

    policy: PolicyFileHead
    rule: tuple[Rule, ...] = ()
    waiver: tuple[Waiver, ...] = ()


def resolve(path: Path, *, above: tuple[Path, ...] = ()) -> tuple[PolicyHead, tuple[Rule, ...], tuple[Waiver, ...]]:
    """Read a policy file with all that it builds on.

    A waiver is a decision about one audit, so that none is inherited.

    Args:
        path: The file.
        above: The files that build on it.

    Raises:
        ConfigurationError: If a file does not fit, builds on itself, or names a policy or a rule that does not exist.
    """
    here = path.resolve()
    if here in above:
        circle = " -> ".join(file.name for file in (*above[above.index(here) :], here))
        raise ConfigurationError(f"{path}: the policy builds on itself: {circle}", remedy="take one extends out of the circle")
    file = read_toml(PolicyFile, path)
    head = file.policy
    if not file.rule and not head.parents:
        raise ConfigurationError(f"{path}: there is no rule", remedy='add one, or inherit some: extends = "baseline"')
    fault = fault_among(file.rule)
    if fault is not None:
        raise _located(path, fault)
    inherited = [resolve(_parent(path, name), above=(*above, here)) for name in head.parents]
    rules = {rule.id: rule for _, parent, _ in inherited for rule in parent}
    for name in head.remove:
        if name not in rules:
            fault = Fault(("policy", "remove"), f"remove names {name!r}, which is no rule that is inherited", did_you_mean(name, rules))
            raise _located(path, fault)
        del rules[name]
    rules |= {rule.id: rule for rule in file.rule}
    if not rules:
        raise ConfigurationError(f"{path}: no rule is left", remedy="remove fewer, or add some")
    fault = fault_among(tuple(rules.values()), file.waiver)
    if fault is not None:
        raise _located(path, fault)
    heads = [parent for parent, _, _ in inherited]
    merged = PolicyHead(
        id=head.id,
        profile=head.profile or _most_thorough(heads),
        # Who asks for less must say so.
        requires_independence=(
            head.requires_independence
            if "requires_independence" in head.model_fields_set
            else any(parent.requires_independence for parent in heads)
        ),
    )
    return merged, tuple(rules.values()), file.waiver


def _parent(path: Path, name: str) -> Path:
    """The file of a policy that another builds on."""
    if name.endswith(_SUFFIX):
        return path.parent / name
    if name in shipped_policies():
        return shipped_path(name)
    remedy = f"{did_you_mean(name, shipped_policies())} The name of a file ends in {_SUFFIX}"
    raise _located(path, Fault(("policy", "extends"), f"extends names {name!r}, which does not come with Assay", remedy))


def _located(path: Path, fault: Fault) -> ConfigurationError:
    line = line_of(path.read_text(encoding="utf-8"), fault.place)
    return ConfigurationError(f"{path}, line {line}: {fault.problem}", remedy=fault.remedy)


def _most_thorough(heads: Sequence[PolicyHead]) -> Profile | None:
    asked = [head.profile for head in heads if head.profile is not None]
    return max(asked, key=PROFILES.index, default=None)
