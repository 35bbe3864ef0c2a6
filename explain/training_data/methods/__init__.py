"""Influence methods: one file a method."""
