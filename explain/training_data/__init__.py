"""Explanations by training data: one file a method."""
