"""Produces a classifier from data and a recipe."""

from trainer.cross_fitting import cross_predict
from trainer.loop import Epoch, train
from trainer.recipe import Recipe

__all__ = ["Epoch", "Recipe", "cross_predict", "train"]
