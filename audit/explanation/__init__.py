"""Explanation: why it decides as it does, and whether the reasons add up."""
