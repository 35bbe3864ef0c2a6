"""The explanation sheet: one decision, for the person whom it concerns, in their language."""
