"""Privacy: what it leaks about the people it learned from."""

from audit.privacy.loss_threshold import Membership, infer_members

__all__ = ["Membership", "infer_members"]
