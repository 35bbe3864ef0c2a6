"""Pickles, simulated opcode by opcode; nothing of them is imported or run."""
