"""The user's own identity: made once, private, and never where a pipeline runs."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from audit.vault import Identity, default_identity, read_identities
from classifier.errors import ConfigurationError, StorageError


def test_an_identity_is_made_once_and_only_its_owner_may_read_it(configuration: Path) -> None:
    made = default_identity()
    folder, file = configuration / "assay", configuration / "assay" / "identity.txt"
    assert os.listdir(folder) == ["identity.txt"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o777 == 0o600
    before = file.read_bytes()
    assert default_identity().reveal() == default_identity(create=False).reveal() == made.reveal()
    assert file.read_bytes() == before
    assert [identity.reveal() for identity in read_identities(file)] == [made.reveal()]


def test_a_wide_umask_or_a_narrow_one_makes_no_difference(configuration: Path) -> None:
    previous = os.umask(0)
    try:
        default_identity()
    finally:
        os.umask(previous)
    assert (configuration / "assay").stat().st_mode & 0o777 == 0o700
    assert (configuration / "assay" / "identity.txt").stat().st_mode & 0o777 == 0o600


def test_without_the_variable_it_is_kept_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    default_identity()
    assert (tmp_path / ".config" / "assay" / "identity.txt").exists()


def test_a_relative_configuration_folder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "somewhere")
    with pytest.raises(ConfigurationError, match="must be an absolute path, got 'somewhere'"):
        default_identity()


def test_where_ci_is_set_none_is_made_and_one_that_exists_is_used(configuration: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(ConfigurationError, match=r"\[seal\] recipients in audit\.toml"):
        default_identity()
    assert not configuration.exists()
    monkeypatch.delenv("CI")
    made = default_identity()
    monkeypatch.setenv("CI", "true")
    assert default_identity().reveal() == made.reveal()


@pytest.mark.parametrize(("name", "mode"), [("identity.txt", 0o640), ("identity.txt", 0o604), (".", 0o750), (".", 0o701)])
def test_a_key_that_others_could_read_is_refused_with_the_remedy(configuration: Path, name: str, mode: int) -> None:
    made = default_identity()
    path = configuration / "assay" / name
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"has mode {mode:04o}, required is .* chmod (600|700) ") as caught:
        default_identity()
    assert made.reveal() not in str(caught.value)


def test_a_folder_that_others_could_read_gets_no_key(configuration: Path) -> None:
    folder = configuration / "assay"
    folder.mkdir(parents=True, mode=0o755)
    with pytest.raises(ConfigurationError, match="has mode 0755"):
        default_identity()
    assert os.listdir(folder) == []


def test_a_folder_of_another_user_is_refused_also_behind_a_link(configuration: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    default_identity()
    elsewhere = configuration / "elsewhere"
    (configuration / "assay").rename(elsewhere)
    (configuration / "assay").symlink_to(elsewhere)
    assert default_identity().recipient
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(ConfigurationError, match=f"belongs to user {owner}, required is {owner + 1}"):
        default_identity()


def test_a_file_in_the_way_of_the_folder_is_named(configuration: Path) -> None:
    configuration.mkdir()
    (configuration / "assay").write_text("")
    with pytest.raises(StorageError, match=r"identity\.txt"):
        default_identity()


def test_a_damaged_identity_is_refused_and_not_replaced(configuration: Path) -> None:
    default_identity()
    file = configuration / "assay" / "identity.txt"
    file.write_text("")
    with pytest.raises(ConfigurationError, match="holds no identity"):
        default_identity()
    assert file.read_text() == ""


def test_those_who_make_it_at_the_same_time_get_the_same_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together = Barrier(8)

    def make(_: int) -> Identity:
        together.wait()
        return default_identity()

    with ThreadPoolExecutor(8) as pool:
        for attempt in range(20):
            monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / str(attempt)))
            assert len({identity.reveal() for identity in pool.map(make, range(8))}) == 1
            assert os.listdir(tmp_path / str(attempt) / "assay") == ["identity.txt"]
