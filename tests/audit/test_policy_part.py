"""What audit.toml says of policy, report and declarations: each with its line, and nothing unknown."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.configuration import Configuration
from audit.controls import laws
from audit.policy import Policy
from classifier.errors import ConfigurationError

AUDIT = '[audit]\nname = "a"\n[data]\npath = "x.csv"\ntarget = "y"\nprotected = ["sex"]\n[model]\narchitecture = "mlp"\n'
RULE = '[[rule]]\nid = "R"\nmetric = "fairness.accuracy"\nmin = 0\nset_by = "s"\nrationale = "r"\n'


def read(folder: Path, more: str, policy: str = "") -> Configuration:
    (folder / "audit.toml").write_text(AUDIT + more)
    (folder / "policy.toml").write_text(f'[policy]\nid = "p"\n{policy}')
    return Configuration.read(folder / "audit.toml")


def test_a_policy_that_is_shipped_is_taken_by_its_name(tmp_path: Path) -> None:
    configuration = read(tmp_path, '[policy]\nname = "high-risk-credit"\n')
    assert configuration.read_policy(tmp_path) == Policy.shipped("high-risk-credit")


def test_a_policy_that_stands_alone_is_kept_byte_by_byte_and_another_with_all_its_rules(tmp_path: Path) -> None:
    alone = read(tmp_path, '[policy]\npath = "policy.toml"\n', f"# a comment\n{RULE}").policy
    assert alone is not None
    assert alone.text(tmp_path) == (tmp_path / "policy.toml").read_bytes()
    built = read(tmp_path, '[policy]\npath = "policy.toml"\n', f'extends = "baseline"\n{RULE}').policy
    assert built is not None
    kept = tmp_path / "kept.toml"
    kept.write_bytes(built.text(tmp_path))
    (tmp_path / "policy.toml").rename(tmp_path / "moved.toml")
    assert {rule.id for rule in Policy.read(kept).rule} == {"R", *(rule.id for rule in Policy.shipped("baseline").rule)}
    assert Policy.read(kept).digest == Policy.read(tmp_path / "moved.toml").digest


def test_a_report_shows_the_laws_that_are_chosen_or_those_that_the_rules_name(tmp_path: Path) -> None:
    rules = f'{RULE}controls = ["nist-ai-rmf:MEASURE-2.11", "eu-ai-act:10.2.f", "eu-ai-act:15.1"]\n'
    by_rules = read(tmp_path, '[policy]\npath = "policy.toml"\n', rules)
    assert by_rules.report.shown(by_rules.read_policy(tmp_path)) == ("eu-ai-act", "nist-ai-rmf")
    assert read(tmp_path, '[report]\nlaws = ["gdpr"]\n').report.shown(Policy.shipped("baseline")) == ("gdpr",)
    assert read(tmp_path, "[report]\nlaws = []\n").report.shown(Policy.shipped("baseline")) == ()
    assert read(tmp_path, "").report.shown(None) == ()
    assert set(read(tmp_path, f"[report]\nlaws = {list(laws())}\n").report.shown(None)) == set(laws())


@pytest.mark.parametrize(
    ("more", "policy", "message"),
    [
        ('[policy]\nname = "base"\n', "", "no policy 'base' comes with Assay"),
        ('[policy]\nname = "baseline"\npath = "policy.toml"\n', "", r"line 9: 'policy' needs one of path"),
        ("[policy]\n", "", r"line 9: 'policy' needs one of path"),
        ('[policy]\npath = "policy.toml"\n', f'{RULE}controls = ["eu-ai-act:10.2.x"]\n', r"'R' serves 'eu-ai-act:10\.2\.x'.*did you mean"),
        ('[policy]\npath = "policy.toml"\n', f'{RULE}controls = ["eu-act:10.3"]\n', r"'eu-act:10\.3', which is in no catalogue.*eu-ai-act"),
        ('[policy]\npath = "policy.toml"\n', f'{RULE}where = {{ attribute = "sexx" }}\n', r"groups of 'sexx'.*did you mean 'sex'"),
        ('[report]\nlaws = ["eu-ai-acts"]\n', "", r"line 10: 'report\.laws' names 'eu-ai-acts'.*did you mean 'eu-ai-act'"),
        ('[report]\nlaw = ["gdpr"]\n', "", r"line 10: unknown key 'report\.law'; did you mean 'laws'"),
        ('[declarations]\nintended_uses = "x"\n', "", r"line 10: unknown key 'declarations\.intended_uses'; did you mean 'intended_use'"),
        (
            '[declarations]\nvalid_until = "soon"\n',
            "",
            r"line 10: 'declarations\.valid_until' must be a day, such as 2027-01-31, got 'soon'",
        ),
        ("[declarations]\nplanned_n = 0\n", "", r"line 10: 'declarations\.planned_n' .*got 0"),
        ("[declarations]\npower = 1.5\n", "", r"line 10: 'declarations\.power' .*got 1\.5"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line_or_the_nearest_name(tmp_path: Path, more: str, policy: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read(tmp_path, more, policy).read_policy(tmp_path)


def test_declarations_are_told_in_words_and_what_is_left_out_is_absent(tmp_path: Path) -> None:
    stated = 'valid_until = 2027-01-31\nplanned_n = 500\npower = 0.8\ntier = 2\nreader_agreement = 0.81\ndeveloper = "Ann"\n'
    assert read(tmp_path, f"[declarations]\n{stated}").declarations == {
        "valid_until": "2027-01-31",
        "planned_n": "500",
        "power": "0.8",
        "tier": "2",
        "reader_agreement": "0.81",
        "developer": "Ann",
    }
    assert read(tmp_path, '[declarations]\nvalid_until = "2027-01-31"\n').declarations == {"valid_until": "2027-01-31"}


@pytest.mark.parametrize("example", sorted(path.name for path in (Path(__file__).parents[2] / "examples").iterdir() if path.is_dir()))
def test_every_example_reads_with_its_policy(example: str) -> None:
    folder = Path(__file__).parents[2] / "examples" / example
    configuration = Configuration.read(folder / "audit.toml")
    policy = configuration.read_policy(folder)
    assert configuration.declarations["intended_use"]
    assert (policy is None) == (configuration.policy is None)
