"""Concepts: whether a network uses what a person has a word for and shows in examples."""
