"""Fairness: whether it treats groups alike."""
