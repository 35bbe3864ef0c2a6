"""Games among the parts of an input: the values of coalitions, and how they are drawn, shared out and summed up."""
