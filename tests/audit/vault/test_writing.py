"""A model is sealed only if what comes of it opens again as a model."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from audit.vault import generate_identity, seal_model_file
from audit.vault.files import read_sealed
from audit.vault.tensors import writing
from classifier.errors import IntegrityError, ModelError

ME = generate_identity("x25519")


def sealed_header(path: Path) -> int:
    """Bytes of the header of a model with the digests in it."""
    seal_model_file(path, path.with_name("m.age"), recipients=[ME.recipient])
    return int.from_bytes(read_sealed(path.with_name("m.age"), identities=[ME])[:8], "little")


def test_a_header_that_grows_over_the_limit_by_its_digests_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.safetensors"
    save_file({f"{i}": torch.zeros(1) for i in range(50)}, path)
    length = sealed_header(path)
    monkeypatch.setattr(writing, "LONGEST_HEADER", length)
    seal_model_file(path, tmp_path / "m.age", recipients=[ME.recipient])
    monkeypatch.setattr(writing, "LONGEST_HEADER", length - 1)
    with pytest.raises(ModelError, match=f"would have {length:,} bytes with the digests of 50 tensors, allowed are .* shards"):
        seal_model_file(path, tmp_path / "other.age", recipients=[ME.recipient])
    assert "other.age" not in os.listdir(tmp_path)


def test_names_that_are_no_text_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    header = json.dumps({"\ud800": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}).encode()
    (tmp_path / "m.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"x")
    with pytest.raises(IntegrityError, match="half of a character"):
        seal_model_file(tmp_path / "m.safetensors", tmp_path / "m.age", recipients=[ME.recipient])
    assert os.listdir(tmp_path) == ["m.safetensors"]
