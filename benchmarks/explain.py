"""Explanations beside Captum, SHAP and scikit-learn, one family after the other: ``python -m benchmarks.explain``.

``python -m benchmarks.shapley`` and so on run a single family. Times are ratios against a peer in the same run; errors are
against a known answer or a long reference, as each family's page says.
"""

from __future__ import annotations

from importlib import import_module

FAMILIES = ("shapley", "gradients", "propagation", "perturbation", "behaviour", "influence")


def main() -> None:
    """Print the tables of every family."""
    for family in FAMILIES:
        print(f"\n{family}\n")
        import_module(f"benchmarks.{family}").main()


if __name__ == "__main__":
    main()
