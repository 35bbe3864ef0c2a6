"""Modalities: one file a kind of input."""
