"""What runs in the peers' own environment (`make bench-peers`), and so imports nothing of ours."""
