"""Produces a classifier from data and a recipe."""

from trainer.cross_fitting import cross_predict
from trainer.cross_validation import CrossValidation, cross_validate
from trainer.loop import train
from trainer.private import Private
from trainer.recipe import Recipe
from trainer.robust import Robust
from trainer.run import Epoch
from trainer.searching import Range, Search, search

__all__ = [
    "CrossValidation",
    "Epoch",
    "Private",
    "Range",
    "Recipe",
    "Robust",
    "Search",
    "cross_predict",
    "cross_validate",
    "search",
    "train",
]
