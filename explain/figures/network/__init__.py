"""Figures of a network: its graph, its attention, its activations and its filters."""
