"""Which training rows made a classifier decide as it does, and which of them are labelled wrongly."""
