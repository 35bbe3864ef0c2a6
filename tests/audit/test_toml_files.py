"""TOML files of a fixed form: what does not fit is named with its file, its line and the nearest key."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.configuration import Configuration
from audit.policy import Policy
from audit.toml_files import Form, line_of, parse_toml, read_toml
from classifier.errors import ConfigurationError

TEXT = """\
# a comment
[audit]
name = "a"

[data]
path = "x.csv"
"target" = "y"
  [data.cuts]
  age = [26,
    61]

[checks."robustness.attack"]
eps = [0.1]

[[rule]]
id = "A"
where = { eps = 0.1 }
[[rule]] # the second
id = "B"
min = 0
"""


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("audit",), 2),
        (("audit", "name"), 3),
        (("data", "target"), 7),
        (("data", "cuts", "age", 1), 9),
        (("checks", "robustness.attack", "eps"), 13),
        (("rule", 0, "id"), 16),
        (("rule", 0, "where", "eps"), 17),
        (("rule", 1), 18),
        (("rule", 1, "min"), 20),
        (("data", "absent"), 5),
        (("rule", 1, "absent"), 18),
        ((), 1),
    ],
)
def test_a_place_is_found_on_its_line_and_an_absent_one_on_the_nearest_above(place: tuple[str | int, ...], line: int) -> None:
    assert line_of(TEXT, place) == line


AUDIT = '[audit]\nname = "a"\n[data]\npath = "x.csv"\ntarget = "y"\n[model]\narchitecture = "mlp"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (AUDIT.replace("[audit]", "[audits]"), r"line 1: unknown key 'audits'; did you mean 'audit'|'audit' is missing"),
        (AUDIT.replace('target = "y"\n', ""), r"line 3: 'data\.target' is missing"),
        (AUDIT.replace('"x.csv"', "3"), r"line 4: 'data\.path' .*string, got 3"),
        (AUDIT.replace('"a"', '"a/b"'), r"line 2: 'audit\.name' .*got 'a/b'"),
        (AUDIT.replace('"a"', '"../a"'), r"line 2: 'audit\.name' .*got '\.\./a'"),
        (f"{AUDIT}hiden = [3]\n", r"line 8: unknown key 'model\.hiden'; did you mean 'hidden'"),
        (f'{AUDIT}path = "here"\n', r"line 6: 'model' needs one of architecture"),
        (f"{AUDIT}[model.training]\nepochs = 1.5\n", r"line 9: 'model\.training\.epochs' .*got 1\.5"),
        (
            f"{AUDIT}[decision]\nthreshold = 0.5\ncosts = {{ missed_event = 5, false_alarm = 1 }}\n",
            "line 8: 'decision' has a threshold and",
        ),
        (f"{AUDIT}[decision]\ncosts = {{ missed_event = 5, false_alrm = 1 }}\n", r"line 9: .*false_al"),
        (f'{AUDIT}[[data.relations]]\nweights = {{ a = 1 }}\nsense = "<"\nvalue = 0\n', r"line 10: 'data\.relations\.0\.sense' "),
        (
            f'{AUDIT}[data.features.age]\nunit = "years"\n[seal]\nrecipient = ["age1"]\n',
            r"line 11: unknown key 'seal\.recipient'; did you mean",
        ),
        (AUDIT.replace('"y"', '"y'), r"audit\.toml is not TOML: .*line 5"),
        (f"{AUDIT}[audit]\n", r"audit\.toml is not TOML"),
    ],
)
def test_an_audit_toml_that_does_not_fit_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "audit.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=message) as refusal:
        Configuration.read(path)
    assert str(path) in refusal.value.problem


@pytest.mark.parametrize("limit", ["nan", "inf", "-inf"])
def test_a_limit_is_a_finite_number(limit: str) -> None:
    text = f'[policy]\nid = "p"\n[[rule]]\nid = "R"\nmetric = "m"\nset_by = "s"\nrationale = "r"\nmin = {limit}\n'
    with pytest.raises(ConfigurationError, match=r"policy\.toml, line 8: 'rule\.0\.min' .*finite"):
        parse_toml(Policy, text, "policy.toml")


def test_a_file_that_is_absent_is_missed_with_the_nearest_beside_it(tmp_path: Path) -> None:
    (tmp_path / "audit.toml").write_text(AUDIT)
    with pytest.raises(ConfigurationError, match=r"there is no file .*audits\.toml; did you mean 'audit\.toml'"):
        Configuration.read(tmp_path / "audits.toml")
    with pytest.raises(ConfigurationError, match="there is no file"):
        Configuration.read(tmp_path / "nowhere" / "audit.toml")


def test_text_that_is_not_utf8_is_refused_with_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "audit.toml"
    path.write_bytes(b"[audit]\nname = '\xff'\n")
    with pytest.raises(ConfigurationError, match=r"is not UTF-8 text \(byte 16\)"):
        Configuration.read(path)


class _Inner(Form):
    value: int


class _Outer(Form):
    inner: tuple[_Inner, ...] = ()
    named: dict[str, _Inner] = {}


@pytest.mark.parametrize("text", ["[[inner]]\nvalue = 1\nvalu = 2\n", "[named.x]\nvalue = 1\nvalu = 2\n"])
def test_the_nearest_key_is_of_the_place_and_not_of_the_whole_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "form.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"line 3: unknown key '.*valu'; did you mean 'value'"):
        read_toml(_Outer, path)
