"""Inheritance: what replaces what, what is left out, and every circle and misspelling named with its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from audit.policy import Policy
from classifier.errors import ConfigurationError

Write = Callable[..., Path]
WAIVER = '[[waiver]]\nrule = "A"\nreason = "because"\nowner = "Ann"\nexpires = 2027-01-31\n'


def limits(policy: Policy) -> dict[str, tuple[float | None, str]]:
    return {rule.id: (rule.min, rule.set_by) for rule in policy.rule}


def test_a_rule_of_the_same_id_replaces_the_inherited_one_in_its_place(write: Write) -> None:
    write("base", A="min = 0.1", B="min = 0.2")
    child = Policy.read(write("child", 'extends = "base.toml"', B="min = 0.5", C="min = 0.3"))
    assert limits(child) == {"A": (0.1, "base"), "B": (0.5, "child"), "C": (0.3, "child")}
    assert list(limits(child)) == ["A", "B", "C"]
    assert child.policy.id == "child"


def test_of_two_policies_the_later_one_stays_and_a_common_ancestor_is_inherited_once(write: Write) -> None:
    write("root", A="min = 0.1", B="min = 0.1")
    write("left", 'extends = "root.toml"', A="min = 0.2")
    write("right", 'extends = "root.toml"', C="min = 0.3")
    both = Policy.read(write("both", 'extends = ["left.toml", "right.toml"]'))
    assert limits(both) == {"A": (0.1, "root"), "B": (0.1, "root"), "C": (0.3, "right")}


def test_what_is_removed_is_gone_and_may_be_written_anew(write: Write) -> None:
    write("base", A="min = 0.1", B="min = 0.2")
    child = Policy.read(write("child", 'extends = "base.toml"\nremove = ["A", "B"]', B="min = 0.9"))
    assert limits(child) == {"B": (0.9, "child")}


def test_the_digest_is_of_all_that_is_inherited(write: Write) -> None:
    write("base", A="min = 0.1")
    before = Policy.read(write("child", 'extends = "base.toml"', B="min = 0.2")).digest
    write("base", A="min = 0.11")
    assert Policy.read(write("child", 'extends = "base.toml"', B="min = 0.2")).digest != before


def test_a_waiver_is_not_inherited_and_may_name_an_inherited_rule(write: Write) -> None:
    write("base", tail=WAIVER, A="min = 0.1")
    assert Policy.read(write("silent", 'extends = "base.toml"', B="min = 0.2")).waiver == ()
    assert Policy.read(write("waiving", 'extends = "base.toml"', tail=WAIVER)).waiver[0].owner == "Ann"


def test_the_most_thorough_profile_and_independence_are_inherited_unless_the_file_says_otherwise(write: Write) -> None:
    write("quick", 'profile = "quick"\nrequires_independence = true', A="min = 0.1")
    write("standard", 'profile = "standard"', B="min = 0.1")
    child = Policy.read(write("child", 'extends = ["standard.toml", "quick.toml"]'))
    assert (child.policy.profile, child.policy.requires_independence) == ("standard", True)
    own = Policy.read(write("own", 'extends = ["standard.toml", "quick.toml"]\nprofile = "quick"\nrequires_independence = false'))
    assert (own.policy.profile, own.policy.requires_independence) == ("quick", False)


def test_a_circle_is_named_with_every_file_in_it(write: Write) -> None:
    write("a", 'extends = "b.toml"', A="min = 0")
    write("b", 'extends = "c.toml"', A="min = 0")
    write("c", 'extends = "b.toml"', A="min = 0")
    with pytest.raises(ConfigurationError, match=r"builds on itself: b\.toml -> c\.toml -> b\.toml"):
        Policy.read(write("a", 'extends = "b.toml"', A="min = 0"))


@pytest.mark.parametrize(
    ("head", "tail", "message"),
    [
        ('extends = "basline"', "", r"line 3: extends names 'basline', which does not come with Assay; did you mean 'baseline'"),
        ('extends = "nowhere.toml"', "", r"there is no file .*nowhere\.toml"),
        ('extends = "base.toml"\nremove = ["AA"]', "", r"line 4: remove names 'AA', which is no rule that is inherited; .*'A'"),
        ('extends = "base.toml"\nremove = ["A"]', "", "no rule is left"),
        ("", "", r"there is no rule; add one, or inherit some: extends = \"baseline\""),
        ('extends = "base.toml"', WAIVER.replace('"A"', '"B"'), r"line \d+: a waiver names the rule 'B', which does not exist"),
        ('extends = "base.toml"', WAIVER.replace('owner = "Ann"\n', ""), r"'waiver\.0\.owner' is missing"),
        ('extends = "base.toml"', WAIVER.replace('"Ann"', '" "'), r"line 7: 'waiver\.0\.owner' must say something"),
        ('extends = "base.toml"\nextend = "x"', "", r"unknown key 'policy\.extend'; did you mean 'extends'"),
    ],
)
def test_what_cannot_be_inherited_is_refused_with_what_there_is(write: Write, head: str, tail: str, message: str) -> None:
    write("base", A="min = 0.1")
    with pytest.raises(ConfigurationError, match=message):
        Policy.read(write("child", head, tail))


def test_a_rule_may_not_take_the_name_of_the_finding_of_independence(write: Write) -> None:
    with pytest.raises(ConfigurationError, match=r"line 5: a rule is called 'INDEPENDENCE'.*give it another id"):
        Policy.read(write("p", INDEPENDENCE="min = 0"))


def test_two_rules_of_one_id_are_refused_at_the_line_of_the_second(write: Write) -> None:
    path = write("p", A="min = 0", B="min = 0")
    path.write_text(path.read_text().replace('"B"', '"A"'))
    with pytest.raises(ConfigurationError, match="line 11: two rules are called 'A'"):
        Policy.read(path)
