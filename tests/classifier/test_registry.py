"""A folder is a registry: an item is a file, found by its name and imported on first use."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from classifier.architecture import ARCHITECTURES
from classifier.errors import ConfigurationError
from classifier.registry import Registry

ITEM = """
from {package} import PARTS

@PARTS.register
class Part:
    name = "{name}"
"""


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry[type]]:
    """A package of two items and a private file, its registry inside it."""
    package = "parts_of_a_test"
    folder = tmp_path / package
    folder.mkdir()
    (folder / "__init__.py").write_text(f"from classifier.registry import Registry\nPARTS = Registry('{package}', 'spare part')\n")
    for name in ("wheel", "brake"):
        (folder / f"{name}.py").write_text(ITEM.format(package=package, name=name))
    (folder / "_shared.py").write_text("")
    (folder / "twice.py").write_text(ITEM.format(package=package, name="a") + ITEM.format(package=package, name="b"))
    (folder / "empty.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    yield __import__(package).PARTS
    for module in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[module]


def test_ids_are_the_files_and_none_is_imported(parts: Registry[type]) -> None:
    assert parts.ids() == tuple(parts) == ("brake", "empty", "twice", "wheel")
    assert "wheel" in parts
    assert "_shared" not in parts
    assert not any(name.startswith("parts_of_a_test.") for name in sys.modules)


def test_an_item_is_imported_on_first_use(parts: Registry[type]) -> None:
    assert parts["wheel"].__name__ == "Part"
    assert vars(parts["wheel"])["name"] == "wheel"
    assert "parts_of_a_test.wheel" in sys.modules
    assert "parts_of_a_test.brake" not in sys.modules
    assert parts["wheel"] is parts["wheel"]


def test_an_unknown_id_gives_the_nearest(parts: Registry[type]) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no spare part 'whel'; did you mean 'wheel'\?"):
        parts["whel"]
    with pytest.raises(ConfigurationError, match=r"there is no spare part 'zzz'; there are: brake, empty, twice, wheel"):
        parts["zzz"]


def test_a_file_registers_exactly_one_item(parts: Registry[type]) -> None:
    with pytest.raises(ConfigurationError, match=r"twice registers two items; each spare part is one file"):
        parts["twice"]
    with pytest.raises(ConfigurationError, match=r"empty registers no spare part"):
        parts["empty"]


def test_an_item_from_elsewhere_is_refused(parts: Registry[type]) -> None:
    with pytest.raises(ConfigurationError, match=r"is not in parts_of_a_test, where each spare part is one file"):
        parts.register(Registry)


def test_every_architecture_is_found_by_its_file() -> None:
    assert {"logistic", "mlp"} <= set(ARCHITECTURES)
    for identifier in ("logistic", "mlp"):
        assert ARCHITECTURES[identifier].__module__ == f"classifier.architectures.{identifier}"
