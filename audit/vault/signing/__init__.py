"""Signatures and whose they are: keys, envelopes, statements, trust."""
