"""Corruptions of texts: one file each."""
