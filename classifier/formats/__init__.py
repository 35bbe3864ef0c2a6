"""Formats: files of every kind become tables, one row a case."""
