"""Kinds of personal identifiers, one a file."""
