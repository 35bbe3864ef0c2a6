"""Attacks of torchattacks, Foolbox and ART on the networks in a folder: ``python robustness.py FOLDER``, one JSON line each."""

from __future__ import annotations

import json
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

EPS = 0.1


def without_torchvision() -> None:
    """torchattacks imports torchvision for the transforms of its demonstrations, and there is none for this build of torch."""
    try:
        import torchvision  # noqa: F401
    except ImportError:
        vision, transforms = types.ModuleType("torchvision"), types.ModuleType("torchvision.transforms")
        vision.transforms = transforms  # type: ignore[attr-defined]
        sys.modules.update({"torchvision": vision, "torchvision.transforms": transforms})


def network(name: str) -> nn.Module:
    """The network of that name, not yet trained."""
    layers: dict[str, list[nn.Module]] = {
        "cnn": [
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10),
        ],
        "mlp": [nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10)],
    }  # fmt: skip
    return nn.Sequential(*layers[name])


def attacks(module: nn.Module, x: Tensor, y: Tensor) -> Iterator[tuple[str, Callable[[], Tensor]]]:
    """Each attack, as a function to the changed rows."""
    import foolbox
    import torchattacks
    from art.attacks.evasion import ProjectedGradientDescentPyTorch
    from art.estimators.classification import PyTorchClassifier

    yield "torchattacks PGD-40", lambda: torchattacks.PGD(module, eps=EPS, alpha=EPS / 10, steps=40)(x, y)
    bounded = foolbox.PyTorchModel(module, bounds=(0, 1))
    yield "foolbox PGD-40", lambda: foolbox.attacks.LinfPGD(steps=40, rel_stepsize=0.1)(bounded, x, y, epsilons=EPS)[1]
    wrapped = PyTorchClassifier(module, nn.CrossEntropyLoss(), input_shape=tuple(x.shape[1:]), nb_classes=10, clip_values=(0, 1))
    pgd = ProjectedGradientDescentPyTorch(wrapped, eps=EPS, eps_step=EPS / 10, max_iter=40, batch_size=len(x), verbose=False)
    yield "ART PGD-40", lambda: torch.from_numpy(pgd.generate(x.numpy(), y.numpy()))
    yield "torchattacks AutoAttack", lambda: torchattacks.AutoAttack(module, norm="Linf", eps=EPS, n_classes=10)(x, y)


def main(folder: Path) -> None:
    """Time each attack once on each network."""
    without_torchvision()
    rows = np.load(folder / "rows.npz")
    x, y = torch.from_numpy(rows["x"]), torch.from_numpy(rows["y"])
    for name in ("cnn", "mlp"):
        module = network(name).eval()
        module.load_state_dict({key: torch.from_numpy(value) for key, value in np.load(folder / f"{name}.npz").items()})
        for attack, run in attacks(module, x, y):
            started = time.perf_counter()
            changed = run()
            seconds = time.perf_counter() - started
            with torch.no_grad():
                left = (module(changed).argmax(1) == y).double().mean().item()
            print(json.dumps({"network": name, "what": attack, "seconds": seconds, "accuracy": left}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
