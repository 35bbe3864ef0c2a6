"""Adapters: classifiers brought from elsewhere."""
