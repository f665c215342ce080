"""How two sets of points differ."""
