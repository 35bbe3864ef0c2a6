"""One format a file; its id is the file's stem, with hyphens."""
