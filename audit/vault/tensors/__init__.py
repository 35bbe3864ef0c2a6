"""Tensors under encryption: written with their digests, loaded whole or one by one."""
