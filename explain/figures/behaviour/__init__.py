"""Pictures of what a classifier does over all inputs: curves of its terms, boundaries, dependence, importance."""
