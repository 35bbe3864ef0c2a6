"""Performance: how often it is right, how well it ranks, and whether its probabilities mean what they say."""
