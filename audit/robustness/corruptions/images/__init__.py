"""Corruptions of images: one file each, the fifteen of ImageNet-C (Hendrycks and Dietterich, 2019, arXiv:1903.12261)."""
