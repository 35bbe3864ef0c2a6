"""Models: sealed, signed, opened on somebody's word."""
