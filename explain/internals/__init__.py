"""Inside a network: what its layers see, attend to and learn, and why one does not learn."""
