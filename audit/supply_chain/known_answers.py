"""What the scanner must find, and what it must pass over, where the truth is known beforehand."""

from __future__ import annotations

import io
import pickle
import tempfile
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np

from audit.supply_chain.scanning import scan
from classifier.known_answer import KnownAnswer
from classifier.seeds import Seed

# Each would run a command, or could; none is ever opened here. What they would run does nothing.
CRAFTED = {
    "global": b"cposix\nsystem\n(S'true'\ntR.",
    "stack_global": b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.",
    "memo": b"\x80\x04\x8c\x06system\x940\x8c\x05posix\x94h\x00\x93\x8c\x04true\x85R.",
    "inst": b"(S'true'\niposix\nsystem\n.",
    "obj": b"(cposix\nsystem\nS'true'\no.",
    "new": b"\x80\x02cbuiltins\neval\nX\x04\x00\x00\x00true\x85\x81.",
    "build": b"ccollections\nOrderedDict\n}S'x'\nNsb.",
    "extension": b"\x80\x02\x82\x01)R.",
    "persistent": b"\x80\x02Pos.system\n.",
    "chain": b"cbuiltins\ngetattr\n(cbuiltins\nobject\nS'__subclasses__'\ntR)R.",
}


def measure_known_answers(seed: Seed) -> list[KnownAnswer]:
    """Crafted pickles are found, bare, in an archive and under a wrong name; pickles and arrays of real data raise no alarm."""
    random = seed.child("supply_chain").numpy()
    with tempfile.TemporaryDirectory() as folder:
        crafted, harmless = Path(folder, "crafted"), Path(folder, "harmless")
        crafted.mkdir()
        harmless.mkdir()
        for name, content in CRAFTED.items():
            (crafted / f"{name}.pkl").write_bytes(content)
            with zipfile.ZipFile(crafted / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("weights", content)
        (crafted / "renamed.safetensors").write_bytes(CRAFTED["stack_global"])
        numbers = random.normal(size=(3, 5))
        real = {"weights": numbers, "names": ["a", "b"], "order": OrderedDict(a=1), "scale": np.float32(0.5)}
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            (harmless / f"{protocol}.pkl").write_bytes(pickle.dumps(real, protocol))
        buffer = io.BytesIO()
        np.savez_compressed(buffer, numbers=numbers, texts=np.array(["x", "yy"]))
        (harmless / "arrays.npz").write_bytes(buffer.getvalue())
        np.save(harmless / "array.npy", numbers)
        found, passed = scan(crafted), scan(harmless)
    missed = {file.name for file in found.files} - {finding.file for finding in found.at_least("high")}
    return [
        KnownAnswer("supply_chain.crafted", "every crafted pickle is found, bare, packed and renamed", 0.0, float(len(missed)), 0.0),
        KnownAnswer("supply_chain.harmless", "pickles and arrays of numbers raise no alarm", 0.0, float(len(passed.findings)), 0.0),
    ]
