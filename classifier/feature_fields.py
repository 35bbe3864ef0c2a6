"""What may stand in the fields of a feature. Dataclasses check nothing, and a misspelt one would constrain nothing."""

from __future__ import annotations

from math import isfinite
from numbers import Real
from typing import TYPE_CHECKING

from classifier.errors import ConfigurationError, did_you_mean

if TYPE_CHECKING:
    from classifier.schema import Feature


def require_categories(feature: Feature) -> None:
    """Refuse categories that do not fit the kind, or a value that stands for others and is none of them."""
    count = len(feature.categories)
    if feature.kind in ("continuous", "integer") and feature.categories:
        raise ConfigurationError(f"feature {feature.name!r} is {feature.kind} and takes no categories", remedy='state kind = "categorical"')
    if feature.kind == "categorical" and count < 2:
        raise ConfigurationError(f"feature {feature.name!r} is categorical and needs at least 2 categories, got {count}")
    if feature.kind == "binary" and count not in (0, 2):
        raise ConfigurationError(f"feature {feature.name!r} is binary and needs 2 categories or none, got {count}")
    if len(set(feature.categories)) != count:
        raise ConfigurationError(f"feature {feature.name!r} names a category twice")
    if feature.unknown is not None and feature.unknown not in feature.categories:
        raise ConfigurationError(
            f"feature {feature.name!r} takes unknown values for {feature.unknown!r}, which is none of its categories",
            remedy=did_you_mean(feature.unknown, feature.categories),
        )
    one_of = feature.kind in ("categorical", "binary") and feature.categories and feature.fill is not None
    if one_of and feature.fill not in feature.categories:
        raise ConfigurationError(
            f"feature {feature.name!r} fills gaps with {feature.fill!r}, which is none of its categories",
            remedy=did_you_mean(feature.fill, feature.categories),
        )


def require_range(feature: Feature) -> None:
    """Refuse bounds that span nothing or no finite range, and a fill that lies outside them."""
    low, high, fill = feature.low, feature.high, feature.fill
    if (low is None) != (high is None):
        raise ConfigurationError(f"feature {feature.name!r} needs both low and high, or neither")
    if low is not None and high is not None and not (isfinite(low) and isfinite(high) and low < high):
        raise ConfigurationError(f"feature {feature.name!r} needs finite low < high, got {low} and {high}")
    if low is not None and high is not None and not isfinite(high - low):
        raise ConfigurationError(f"the range of feature {feature.name!r} must be finite, got {low} to {high}", remedy="scale it first")
    if feature.scale is not None and not (isfinite(feature.scale) and feature.scale > 0):
        raise ConfigurationError(f"feature {feature.name!r} needs a finite scale above 0, got {feature.scale}")
    if not feature.numeric or not is_number(fill):
        return
    value = float(fill)  # type: ignore[arg-type]
    if not isfinite(value) or (low is not None and high is not None and not low <= value <= high):
        bounds = f"its bounds, {low:g} to {high:g}" if low is not None else "the finite numbers"
        raise ConfigurationError(
            f"the fill of feature {feature.name!r} must lie in {bounds}, got {value:g}", remedy="state low and high that hold it too"
        )
    if feature.kind == "integer" and not value.is_integer():
        raise ConfigurationError(f"the fill of feature {feature.name!r} must be a whole number, got {value:g}")
    if feature.kind == "binary" and value not in ((0.0, 1.0) if low is None else (low, high)):
        raise ConfigurationError(f"the fill of feature {feature.name!r} must be one of its two values, got {value:g}")


def is_number(value: object) -> bool:
    """Whether a value is a number; true and false are none."""
    return isinstance(value, Real) and not isinstance(value, bool)
