"""Attacks on tables: what a valid row may become, and what the change of a single feature costs."""
