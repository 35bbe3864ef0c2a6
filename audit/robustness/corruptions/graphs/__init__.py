"""Corruptions of graphs: one file each."""
