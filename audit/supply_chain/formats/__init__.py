"""Formats of weights: what they say about themselves, held against the file."""
