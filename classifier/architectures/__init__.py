"""Architectures: one file a family of networks."""
