"""The commands about a finished bundle: what they say, where they write, and how they end."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from assay import timestamp
from assay.publish import publish_bundle
from assay.reproduce import _tell, reproduce_bundle
from audit.reproduction import Reproduction, Unlike
from classifier.errors import AssayError, ConfigurationError, StorageError

GOLDEN = Path(__file__).parents[1] / "golden" / "bundle-v1"
Call = Callable[..., tuple[int, str]]


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(GOLDEN, tmp_path / "bundle"))


@pytest.fixture
def call() -> Call:
    """Run one of the commands; gives exit code and output, or raises what it raised."""
    app = typer.Typer(rich_markup_mode=None)
    app.command("publish")(publish_bundle)
    app.command("reproduce")(reproduce_bundle)
    app.add_typer(timestamp.app, name="timestamp")

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, arguments)
        if isinstance(done.exception, AssayError):
            raise done.exception
        return done.exit_code, done.output

    return run


def test_publish_tells_each_file_that_it_leaves_out_and_why(call: Call, bundle: Path) -> None:
    code, out = call("publish", "bundle", "public")
    assert code == 0
    assert "left out, results row by row:\n  evidence/performance.accuracy.safetensors\n" in out
    assert "made for the copy, so that no signature vouches for it: audit.public.json" in out
    assert "6 files kept, 6 left out" in out


def test_a_request_lies_beside_the_bundle_and_replaces_nothing(call: Call, bundle: Path) -> None:
    pytest.importorskip("rfc3161_client")
    code, out = call("timestamp", "request", "bundle")
    path = bundle.with_name("bundle.tsq")
    assert (code, out.strip()) == (0, str(path))
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="is there already"):
        call("timestamp", "request", "bundle")
    assert path.read_bytes() == before
    call("timestamp", "request", "bundle", "--force")
    assert path.read_bytes() != before
    assert call("timestamp", "request", "bundle", "--output", "mine.tsq")[0] == 0
    assert (bundle.parent / "mine.tsq").is_file()
    with pytest.raises(ConfigurationError, match="lies in the bundle"):
        call("timestamp", "request", "bundle", "--output", "bundle/mine.tsq")


def test_an_answer_that_is_not_there_is_told(call: Call, bundle: Path) -> None:
    with pytest.raises(StorageError, match=r"answer\.tsr"):
        call("timestamp", "attach", "bundle", "answer.tsr", "--certificate", "ca.pem")


def test_without_the_extra_it_says_which_to_install(call: Call, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    with pytest.raises(ConfigurationError, match=r"time stamps need the package rfc3161-client") as caught:
        call("timestamp", "request", "bundle")
    assert caught.value.remedy == 'pip install "assay[timestamps]"'


def test_what_reproduce_cannot_begin_with_is_refused(call: Call, bundle: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no folder nowhere"):
        call("reproduce", "bundle", "--data", "nowhere")
    with pytest.raises(ConfigurationError, match=r"holds no audit\.toml"):
        call("reproduce", "bundle")


def test_a_reproduction_is_told_in_80_columns_with_both_values() -> None:
    unlike = Unlike("performance.accuracy", {"group": "a"}, (0.7, 0.6, 0.8), (0.8, 0.7, 0.9))
    missing = [Unlike(f"a.{i}", {}, (1.0, 1.0, 1.0), None, "too few rows") for i in range(12)]
    lines = _tell(Reproduction(Path(), 3, 1, (unlike,), tuple(missing), False, {"torch": ("2.13", "2.14")}))
    assert all(len(line) <= 80 for line in lines)
    text = "\n".join(lines)
    for told in (
        "17 metrics were measured",
        "performance.accuracy, group = a\n      0.7 [0.6, 0.8], now 0.8 [0.7, 0.9]",
        "a.0\n      1, now none: too few rows",
        "and 2 more",
        "the classifier is another",
        "torch: 2.13, now 2.14",
    ):
        assert told in text
    assert "software and hardware are as they were" in "\n".join(_tell(Reproduction(Path(), 1, 0, (), (), True)))
