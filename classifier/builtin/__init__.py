"""Data sets that come with Assay, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from classifier.errors import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from classifier.dataset import Dataset

GERMAN_CREDIT = Path(__file__).parent / "german-credit.csv"
REVIEWS_ZH = Path(__file__).parent / "reviews-zh.csv"


def load_builtin(name: str) -> Dataset:
    """One of the data sets that come with Assay; see ``classifier/builtin/README.md`` for what they are.

    Args:
        name: ``"german-credit"``, ``"breast-cancer"``, ``"digits"``, ``"moons"`` or ``"reviews-zh"``.
    """
    if name not in _LOADERS:
        raise ConfigurationError(f"there is no built-in data set {name!r}", remedy=did_you_mean(name, _LOADERS))
    return _LOADERS[name]()


def _german_credit() -> Dataset:
    from classifier.dataset import Dataset

    return Dataset.read(
        GERMAN_CREDIT,
        target="credit_risk",
        event="bad",
        favourable="good",
        protected=("age_years", "personal_status_sex", "foreign_worker"),
        cuts={"age_years": (26, 61)},
    )


def _breast_cancer() -> Dataset:
    from sklearn.datasets import load_breast_cancer

    from classifier.dataset import Dataset

    bunch = load_breast_cancer(as_frame=True)
    frame = bunch.data.assign(diagnosis=bunch.target.map(dict(enumerate(bunch.target_names))))
    return Dataset.from_frame(frame, target="diagnosis", event="malignant", name="breast-cancer")


def _digits() -> Dataset:
    import numpy as np
    import pandas as pd
    from sklearn.datasets import load_digits

    from classifier.dataset import Dataset

    bunch = load_digits()
    frame = pd.DataFrame({"image": list(bunch.images.astype(np.uint8)), "digit": bunch.target})
    return Dataset.from_frame(frame, target="digit", modality="image", features={"gray": {"high": 16.0}}, name="digits")


def _moons() -> Dataset:
    import pandas as pd
    from sklearn.datasets import make_moons

    from classifier.dataset import Dataset

    points, moon = make_moons(n_samples=600, noise=0.2, random_state=0)
    frame = pd.DataFrame({"x1": points[:, 0].round(4), "x2": points[:, 1].round(4), "moon": ["upper" if m == 0 else "lower" for m in moon]})
    return Dataset.from_frame(frame, target="moon", event="lower", name="moons")


def _reviews_zh() -> Dataset:
    from classifier.dataset import Dataset

    # A complaint is what somebody has to act upon, and so what is predicted.
    return Dataset.read(REVIEWS_ZH, target="sentiment", event="negative", modality="text")


_LOADERS: dict[str, Callable[[], Dataset]] = {
    "german-credit": _german_credit,
    "breast-cancer": _breast_cancer,
    "digits": _digits,
    "moons": _moons,
    "reviews-zh": _reviews_zh,
}
