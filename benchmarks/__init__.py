"""Assay side by side with its peers, in the same run."""
