"""Archives: what they hold, by a reading of our own, since programs differ on hostile ones."""
