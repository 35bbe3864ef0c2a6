"""The checks of this room, one a file."""
