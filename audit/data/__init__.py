"""Data: what the classifier learns from and is judged on."""
