"""Pictures of the concepts that a network uses."""
