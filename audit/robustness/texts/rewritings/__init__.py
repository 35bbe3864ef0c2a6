"""The rewritings, one a file."""
