"""How a classifier behaves over all its data: what it rests on, how its output follows a feature, and what sums it up."""
