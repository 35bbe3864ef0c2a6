"""Pseudonyms: the published construction, linked where that is said and nowhere else; keys that only their owner holds."""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b32encode
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from audit.deidentification import Column, Plan, create_key, deidentify, read_key
from audit.deidentification.pseudonyms import column_key, pseudonyms_of
from classifier.errors import ConfigurationError, StorageError

KEY = bytes(range(32))


def hkdf(key: bytes, info: bytes) -> bytes:
    """RFC 5869 with SHA-256, no salt and one block, from the standard library."""
    extracted = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(extracted, info + b"\x01", "sha256")


def part(text: str) -> bytes:
    return len(text.encode()).to_bytes(4, "big") + text.encode()


def make(frame: pd.DataFrame, *, dataset: str = "loans", key: bytes = KEY, **options: object) -> pd.DataFrame:
    columns = {name: Column(action="pseudonym", **options) for name in frame.columns}  # type: ignore[arg-type]
    return deidentify(frame, Plan(dataset=dataset, order="kept", columns=columns), key=key).frame


@pytest.mark.parametrize("bits", [128, 160, 256])
def test_a_pseudonym_is_the_start_of_an_hmac_under_a_derived_key(bits: int) -> None:
    value = "Zoë 张伟"
    derived = hkdf(KEY, b"assay/pseudonym/v1" + part("column") + part("loans") + part("name"))
    code = hmac.new(derived, value.encode(), hashlib.sha256).digest()[: bits // 8]
    (made,) = make(pd.DataFrame({"name": [value]}), bits=bits)["name"]
    assert made == b32encode(code).decode().rstrip("=").lower()
    assert len(made) == -(-bits // 5)


def test_equal_values_link_within_a_column_and_nowhere_else() -> None:
    frame = pd.DataFrame({"a": ["x", "x", "y"], "b": ["x", "x", "y"]})
    first, second, other = make(frame), make(frame, dataset="cards"), make(frame, key=bytes(32))
    assert first["a"][0] == first["a"][1] != first["a"][2]
    everywhere = [column[0] for table in (first, second, other) for column in (table["a"], table["b"])]
    assert len(set(everywhere)) == 6


def test_a_domain_links_columns_and_data_sets_on_purpose() -> None:
    frame = pd.DataFrame({"a": ["x"], "b": ["x"]})
    here, there = make(frame, domain="customers"), make(frame, dataset="cards", domain="customers")
    assert here["a"][0] == here["b"][0] == there["a"][0]
    assert here["a"][0] != make(frame, domain="staff")["a"][0]


def test_no_two_places_of_names_give_one_key() -> None:
    keys = [
        column_key(KEY, dataset="ab", column="c"),
        column_key(KEY, dataset="a", column="bc"),
        column_key(KEY, dataset="c", column="ab"),
        column_key(KEY, dataset="x", column="y", domain="ab"),
        column_key(KEY, dataset="domain", column="ab"),
        column_key(KEY, dataset="", column="ab"),
    ]
    assert all(a != b for a, b in combinations(keys, 2))


def test_empty_cells_stay_empty_and_spellings_of_one_value_link() -> None:
    made = make(pd.DataFrame({"a": ["é", "e\u0301", " é ", "", None, "  "]}))["a"]
    assert len(set(made[:3])) == 1
    assert made[3:].isna().all()


def test_a_value_links_whatever_type_a_file_gave_it() -> None:
    written, counted, with_gaps = (make(pd.DataFrame({"a": a}))["a"][0] for a in (["12", "x"], [12, 13], [12.0, np.nan]))
    assert written == counted == with_gaps


def test_ten_thousand_values_have_ten_thousand_pseudonyms() -> None:
    values = np.array([str(i) for i in range(10_000)], dtype=object)
    assert len(set(pseudonyms_of(values, KEY))) == 10_000


def test_without_a_key_or_with_a_short_one_nothing_is_made() -> None:
    frame, plan = pd.DataFrame({"a": ["x"]}), Plan(dataset="d", columns={"a": Column(action="pseudonym")})
    with pytest.raises(ConfigurationError, match="there is no key"):
        deidentify(frame, plan)
    for key in (b"", bytes(31), bytes(33)):
        with pytest.raises(ConfigurationError, match=f"has 32 bytes, got {len(key)}"):
            deidentify(frame, plan, key=key)


def test_a_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    path = tmp_path / "keys" / "pseudonyms.key"
    key = create_key(path)
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(path.parent) == [path.name]
    assert read_key(path) == read_key(str(path)) == key
    with pytest.raises(ConfigurationError, match="is there already"):
        create_key(path)
    assert read_key(path) == key


def test_where_ci_is_set_no_key_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")
    with pytest.raises(ConfigurationError, match="no key is made where CI is set"):
        create_key(tmp_path / "key")
    assert not list(tmp_path.iterdir())


def test_a_key_that_others_could_read_or_of_another_length_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(KEY)
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="has mode 0640, required is 0600"):
        read_key(path)
    path.chmod(0o600)
    for content in (b"", KEY[:-1], KEY + b"\n"):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match="required are 32") as caught:
            read_key(path)
        assert content.hex() not in str(caught.value) or not content
    with pytest.raises(StorageError, match="cannot read the key"):
        read_key(tmp_path / "none")


def test_a_key_is_read_from_an_open_descriptor() -> None:
    read, write = os.pipe()
    os.write(write, KEY)
    os.close(write)
    assert read_key(f"fd:{read}") == KEY
    with pytest.raises(StorageError):
        read_key(f"fd:{read}")
