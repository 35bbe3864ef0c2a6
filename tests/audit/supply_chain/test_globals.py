"""The list of what pickles may import: exact, real, and no longer than it must be."""

from __future__ import annotations

import importlib
import inspect
import pickletools
import re

import pytest
import torch._weights_only_unpickler as weights_only

from audit.supply_chain.pickles import usage
from audit.supply_chain.pickles.listed import entry, listed_globals
from audit.supply_chain.pickles.opcodes import OPERATIONS
from audit.supply_chain.pickles.states import is_method
from audit.supply_chain.pickles.values import Global

# Modules of which no name may ever be listed: they run, open or fetch something, or give access to everything.
NEVER = [
    "os",
    "posix",
    "nt",
    "subprocess",
    "sys",
    "shutil",
    "socket",
    "importlib",
    "runpy",
    "pty",
    "code",
    "codeop",
    "ctypes",
    "marshal",
    "pickle",
    "operator",
    "functools",
    "types",
    "inspect",
    "gc",
    "webbrowser",
    "urllib",
    "http",
    "requests",
    "tempfile",
    "pathlib",
    "io",
    "threading",
    "multiprocessing",
    "asyncio",
    "pdb",
    "timeit",
    "distutils",
    "setuptools",
    "pip",
]


def test_every_opcode_of_every_protocol_is_simulated() -> None:
    assert {bytes([ord(opcode.code)]) for opcode in pickletools.opcodes} == {bytes([b]) for (b,) in map(tuple, OPERATIONS)}


def test_every_name_is_exact() -> None:
    for listed in listed_globals():
        assert re.fullmatch(r"\w+(\.\w+)*", listed.module), listed
        assert listed.name.isidentifier(), listed


def test_no_name_comes_from_a_module_that_runs_or_opens_something() -> None:
    assert [str(listed) for listed in listed_globals() if listed.module.partition(".")[0] in NEVER] == []
    dangerous = ("eval", "exec", "compile", "open", "getattr", "setattr", "__import__", "breakpoint", "input", "vars", "globals", "type")
    assert [name for name in dangerous if entry(Global("builtins", name)) is not None] == []


def test_what_torch_lists_itself_holds_all_that_is_listed_of_torch() -> None:
    """torch.load(weights_only=True) has a list of its own, which is an outside reference."""
    known = set(weights_only._get_allowed_globals())
    aliases = {"torch.tensor._rebuild_from_type_v2", "torch._tensor.Tensor"}
    # Tensors that pickle saved by itself: the file inside is simulated, where torch refuses it.
    nested = {"torch.storage._load_from_bytes"}
    layouts = {str(g) for g in listed_globals() if g.module == "torch" and isinstance(getattr(torch_module(), g.name), torch_kinds())}
    assert {str(g) for g in listed_globals() if g.module.startswith("torch")} - known - aliases - nested - layouts == set()


def torch_module() -> object:
    import torch

    return torch


def torch_kinds() -> tuple[type, ...]:
    import torch

    return (torch.layout, torch.memory_format, torch.dtype)


# Names of other releases than the one that is installed, and one that torch maps to another while it loads.
ELSEWHERE = re.compile(
    r"numpy\.core\.|scipy\.sparse\.[a-z]{3}\.|torch\.cuda|torch\.tensor\.|numpy\.ma\.core\.MaskedArray|.*_RemainderColsList"
)


@pytest.mark.filterwarnings("ignore")
def test_every_name_is_there_to_be_imported() -> None:
    missing = []
    for listed in sorted(listed_globals(), key=str):
        try:
            getattr(importlib.import_module(listed.module), listed.name)
        except (ImportError, AttributeError):
            missing.append(str(listed))
    assert [name for name in missing if not ELSEWHERE.match(name)] == []


@pytest.mark.filterwarnings("ignore")
def test_no_listed_class_runs_or_imports_anything_of_its_state() -> None:
    """What a class does when its state is set is read here in its source, where it has any."""
    for listed in listed_globals():
        if ELSEWHERE.match(str(listed)) or entry(listed).role not in ("class", "estimator"):  # type: ignore[union-attr]
            continue
        found = getattr(importlib.import_module(listed.module), listed.name)
        if not inspect.isclass(found):
            continue
        for name in ("__setstate__", "__new__", "__setattr__"):
            try:
                source = inspect.getsource(getattr(found, name))
            except (TypeError, OSError, AttributeError):
                continue
            assert not re.search(r"\b(exec|eval|__import__|import_module|compile|open|getattr)\s*\(", source), f"{listed}.{name}"


@pytest.mark.filterwarnings("ignore")
def test_the_names_of_methods_are_those_of_the_listed_classes() -> None:
    """What a state would hide from whoever calls it; attributes with a setter of their own are none."""
    missing = []
    for listed in listed_globals():
        if ELSEWHERE.match(str(listed)) or entry(listed).role not in ("class", "estimator"):  # type: ignore[union-attr]
            continue
        found = getattr(importlib.import_module(listed.module), listed.name)
        for name in dir(found) if inspect.isclass(found) else ():
            kind = type(inspect.getattr_static(found, name))
            hidden = hasattr(kind, "__get__") and not hasattr(kind, "__set__") and not hasattr(kind, "__delete__")
            if hidden and not name.startswith("__") and not is_method(name, listed):
                missing.append(f"{listed}.{name}")
    assert missing == []


def test_every_check_of_usage_is_of_a_listed_name() -> None:
    assert [str(checked) for checked in usage._CHECKS if entry(checked) is None] == []
    assert [str(opener) for opener in usage.OPENERS if entry(opener) is None] == []
