"""What gradient methods share: the points they are taken at, ways between them, and where a network is linear."""
