"""The tables that edits and invariance tests take their characters and names from, one a TOML file."""
