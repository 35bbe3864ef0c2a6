"""The edits, one a file."""
