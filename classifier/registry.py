"""Registry: a folder in which each file is one item, found by its name and imported on first use."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Generic, TypeVar

from classifier.errors import ConfigurationError, did_you_mean

Item = TypeVar("Item")


class Registry(Generic[Item]):
    """The items of one package; an item's id is the stem of its file.

    Adding an item is adding a file: nobody edits a second one. Folders, and files whose name starts with an
    underscore, are no items.

    Args:
        package: Import name of the folder that holds one item a file.
        noun: What an item is called in an error, ``"attribution method"``.
    """

    def __init__(self, package: str, noun: str) -> None:
        self.package = package
        self.noun = noun
        self._items: dict[str, Item] = {}

    def register(self, item: Item) -> Item:
        """Register `item` under the stem of the file that defines it; usable as a decorator.

        Raises:
            ConfigurationError: If the file has registered an item before.
        """
        module = getattr(item, "__module__", None) or type(item).__module__
        package, _, stem = module.rpartition(".")
        if package != self.package:
            raise ConfigurationError(f"{module} is not in {self.package}, where each {self.noun} is one file")
        if stem in self._items:
            raise ConfigurationError(f"{module} registers two items; each {self.noun} is one file")
        self._items[stem] = item
        return item

    def ids(self) -> tuple[str, ...]:
        """The ids there are, sorted, without importing any of them."""
        folder = importlib.import_module(self.package).__path__
        return tuple(sorted(m.name for m in pkgutil.iter_modules(folder) if not m.name.startswith("_") and not m.ispkg))

    def __getitem__(self, identifier: str) -> Item:
        if identifier not in self._items:
            if identifier not in self.ids():
                raise ConfigurationError(f"there is no {self.noun} {identifier!r}", remedy=did_you_mean(identifier, self.ids()))
            importlib.import_module(f"{self.package}.{identifier}")
            if identifier not in self._items:
                raise ConfigurationError(f"{self.package}.{identifier} registers no {self.noun}")
        return self._items[identifier]

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids())

    def __contains__(self, identifier: object) -> bool:
        return identifier in self.ids()
