"""Keys: identities, recipients and signing keys, in files and in the folder of their owner."""
