"""Counterfactuals: the smallest changes that flip a decision, and the largest that do not; each checked by prediction."""
