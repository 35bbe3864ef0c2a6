"""Attacks and certificates side by side with torchattacks, Foolbox and ART: ``make bench-peers``, then ``python -m benchmarks.robustness``.

512 digits of 8 x 8, two networks, L-inf 0.1. The peers have an environment of their own. In each round both run once, in turn;
each time is the best of all rounds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits
from torch import Tensor, nn

from audit.robustness import attack, certify
from audit.robustness.attacks.pgd import PGD
from benchmarks.peers.robustness import EPS, network
from classifier.classifier import Classifier
from classifier.schema import Feature, Schema

ROWS, ROUNDS = 512, 3
PEERS = Path(".venv-peers/bin/python")
# What each of ours is held against, and how much faster it is to be.
AGAINST = {
    ("mlp", "standard"): ("torchattacks AutoAttack", 2.0),
    ("cnn", "standard"): ("torchattacks AutoAttack", 1.3),
    ("mlp", "quick"): ("torchattacks AutoAttack", 5.0),
    ("cnn", "quick"): ("torchattacks AutoAttack", 5.0),
    ("mlp", "PGD-40"): ("fastest PGD-40", 1.0),
    ("cnn", "PGD-40"): ("fastest PGD-40", 1.0),
    ("cnn", "IBP"): ("PGD-40", 1 / 4),
    ("cnn", "CROWN with intervals"): ("PGD-40", 1 / 4),
    ("cnn", "CROWN"): ("PGD-40", 1 / 30),
}


def trained(name: str, x: Tensor, y: Tensor) -> nn.Module:
    """A network trained on digits."""
    torch.manual_seed(0)
    module = network(name)
    optimizer = torch.optim.Adam(module.parameters(), 1e-3)
    for _ in range(30):
        for batch in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(x[batch]), y[batch]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    return module.eval()


def ours(classifier: Classifier, x: Tensor, y: Tensor) -> dict[str, Callable[[], Tensor]]:
    """What is timed of ours, each a function to the rows that stand."""

    def attacked(suite: str | list[PGD]) -> Callable[[], Tensor]:
        return lambda: attack(classifier, x, y, eps=EPS, suite=suite, constrained=False).robust

    def proven(method: str) -> Callable[[], Tensor]:
        return lambda: certify(classifier, x, y, eps=EPS, method=method)  # type: ignore[arg-type]

    return {
        "PGD-40": attacked([PGD(steps=40)]),
        "quick": attacked("quick"),
        "standard": attacked("standard"),
        "IBP": proven("ibp"),
        "CROWN with intervals": proven("crown_ibp"),
        "CROWN": proven("crown"),
    }


def main() -> None:
    """Train, run all in turn, and print the best times."""
    if not PEERS.is_file():
        sys.exit(f"{PEERS} is missing; make it with: make bench-peers")
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    images = torch.tensor(digits.images[order] / 16, dtype=torch.float32)[:, None]
    labels = torch.tensor(digits.target[order])
    x, y = images[:ROWS], labels[:ROWS]
    schema = Schema("image", (Feature("gray", "continuous", low=0.0, high=1.0),), size=(8, 8))
    seconds: dict[tuple[str, str], float] = {}
    left: dict[tuple[str, str], float] = {}

    def note(network_name: str, what: str, spent: float, accuracy: float) -> None:
        key = (network_name, what)
        seconds[key], left[key] = min(spent, seconds.get(key, float("inf"))), accuracy

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        np.savez(folder / "rows.npz", x=x.numpy(), y=y.numpy())
        classifiers = {}
        for name in ("cnn", "mlp"):
            module = trained(name, images[ROWS:], labels[ROWS:])
            np.savez(folder / f"{name}.npz", **{key: value.numpy() for key, value in module.state_dict().items()})
            classifiers[name] = Classifier.wrap(module, schema=schema, classes=tuple("0123456789"))
        for _ in range(ROUNDS):
            for name, classifier in classifiers.items():
                for what, run in ours(classifier, x, y).items():
                    started = time.perf_counter()
                    standing = run()
                    note(name, what, time.perf_counter() - started, standing.double().mean().item())
            command = [str(PEERS), "benchmarks/peers/robustness.py", scratch]
            for line in subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines():
                if line.startswith("{"):
                    found = json.loads(line)
                    note(found["network"], found["what"], found["seconds"], found["accuracy"])
    report(seconds, left)


def report(seconds: dict[tuple[str, str], float], left: dict[tuple[str, str], float]) -> None:
    """A table of times and of what stands, and how much faster ours are than what they are held against."""
    for name in ("cnn", "mlp"):
        pgd = {what: spent for (network_name, what), spent in seconds.items() if network_name == name and what.endswith(" PGD-40")}
        seconds[name, "fastest PGD-40"] = min(pgd.values())
    table = Table(title=f"{ROWS} digits, L-inf {EPS}, {torch.get_num_threads()} threads, the best of {ROUNDS} rounds")
    for head in ("network", "what", "seconds", "standing", "faster", "asked"):
        table.add_column(head, justify="left" if head in ("network", "what") else "right")
    for (name, what), spent in sorted(seconds.items()):
        other, asked = AGAINST.get((name, what), ("", 0.0))
        ratio = f"{seconds[name, other] / spent:.2f} x" if other else ""
        share = f"{left[name, what]:.2%}" if (name, what) in left else ""
        table.add_row(name, what, f"{spent:.2f}", share, ratio, f"{asked:.2f} x" if other else "")
    Console().print(table)


if __name__ == "__main__":
    main()
