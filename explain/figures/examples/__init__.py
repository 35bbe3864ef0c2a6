"""Pictures that explain by examples: rows beside other rows."""
