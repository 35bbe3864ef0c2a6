"""Images from an archive to a finished report, by the commands alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn.datasets import load_digits

from audit import Audit

Assay = Callable[..., tuple[int, str, str]]

# Options that make its checks quick.
QUICK = (Path(__file__).parent / "quick-checks.toml").read_text()
CONFIGURATION = """
[audit]
name = "small-digits"
profile = "quick"

[data]
path = "digits.npz"
modality = "image"
target = "label"

[data.features.gray]
high = 16.0

[model]
architecture = "cnn"
hidden = [16]
options = { channels = [4, 8], normalisation = "group" }

[model.training]
epochs = 6
learning_rate = 0.01
batch_size = 32

[checks."explanation.attribution"]
limit = 40
background = 8
samples = 64

[checks."robustness.attack"]
eps = [0.1, 0.5]
limit = 30
suite = "quick"


[checks."performance.accuracy"]
resamples = 100

[checks."performance.learning"]
permutations = 200
"""


@pytest.fixture
def digits(tmp_path: Path) -> None:
    bunch = load_digits()
    np.savez_compressed(tmp_path / "digits.npz", images=bunch.images[:500].astype(np.uint8), labels=bunch.target[:500])
    (tmp_path / "audit.toml").write_text(CONFIGURATION + QUICK)


@pytest.mark.usefixtures("digits")
def test_an_audit_of_images_runs_from_an_archive_to_a_report(assay: Assay, tmp_path: Path) -> None:
    code, said, errors = assay("check", "audit.toml")
    assert (code, errors) == (0, "")
    assert "Inputs: 1 features, 1 columns, 8 x 8 times each" in said
    assert "gray                      integer, 0 to 16" in said

    code, _, errors = assay("audit", "audit.toml", "--quiet")
    assert code == 0, errors
    folder = tmp_path / "reports" / "small-digits"
    audit = Audit.load(folder)
    assert audit.identity.features == 64
    asked = {evidence.check for evidence in audit.evidence if evidence.not_run is None}
    assert asked == {
        "data.quality", "performance.accuracy", "performance.learning", "explanation.attribution", "robustness.attack",
        "robustness.backdoor", "robustness.corruptions", "robustness.distance", "robustness.out_of_distribution", "robustness.smoothing",
        "robustness.transfer", "privacy.membership",
    }  # fmt: skip
    assert (audit["performance.accuracy"].metric("performance.accuracy").value or 0) > 0.5
    attack = audit["robustness.attack"]
    assert (attack.metric("robustness.accuracy", eps=0.5, rows="valid").value or 0) <= (
        attack.metric("robustness.accuracy", eps=0.1, rows="valid").value or 0
    )
    reach = next(table for table in attack.tables if table.name == "reach")
    assert reach.rows == (("gray", None, "1", "8"),)
    example = next(table for table in attack.tables if table.name == "example")
    assert 1 < len(example.rows) <= 13
    clean = attack.metric("robustness.clean_accuracy").value or 0
    narrow = (attack.metric("robustness.accuracy", eps=0.1, rows="valid").value or 0) < clean
    # The smallest change is one of the narrowest search that found any: of 16 levels, 1 or 8.
    assert all(abs(float(str(after)) - float(str(before))) <= (1 if narrow else 8) for _, before, after in example.rows[:-1])

    heatmap = next(figure for figure in audit["explanation.attribution"].figures if figure.kind == "heatmap")
    contributions, pixels = heatmap.series
    assert len(contributions.y) == len(heatmap.labels) == 16
    assert len(pixels.y) == 64
    assert min(pixels.y) >= 0
    assert max(pixels.y) <= 1
    assert not any(figure.kind == "waterfall" for figure in audit["explanation.attribution"].figures)
    drawn = ElementTree.parse(folder / "figures" / "explanation.attribution.image.en.svg")
    text = "".join(drawn.getroot().itertext())
    assert "what each patch adds" in text
    assert "rows 1 to 2, columns 1 to 2" in (folder / "report.en.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("digits")
def test_the_decision_on_one_image_is_explained_by_its_patches(assay: Assay, tmp_path: Path) -> None:
    code, said, errors = assay("explain", "audit.toml", "--rows", "3", "--method", "integrated_gradients", "--output", "why", "--quiet")
    assert code == 0, errors
    assert "Row 3 (" in said
    assert said.count("rows 1 to 2, columns") == 4
    assert (tmp_path / "why" / "row-3.png").read_bytes().startswith(b"\x89PNG")
