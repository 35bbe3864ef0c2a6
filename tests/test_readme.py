"""What the README tells a newcomer to do works, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.zh-CN.md")


def code(name: str) -> str:
    (found,) = re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL)
    return str(found)


def test_both_readmes_show_the_same_commands_and_the_same_code() -> None:
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in READMES]
    assert code(READMES[0]) == code(READMES[1])
    first, second = (re.findall(r"^    (\S.*)$", text, flags=re.MULTILINE) for text in texts)
    assert first == second


@pytest.mark.slow
def test_the_code_of_the_readme_runs_from_the_root(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(code(READMES[0]), "README.md", "exec"), {})
    out = capsys.readouterr().out
    assert "n = 250" in out
    assert "'pass':" in out


def test_every_file_that_the_readmes_name_is_there() -> None:
    for name in READMES:
        for path in re.findall(r"\]\(([^)]+)\)|`((?:examples|docs)/[\w./-]*)`", (ROOT / name).read_text(encoding="utf-8")):
            assert (ROOT / (path[0] or path[1])).exists(), path
