"""Which points are so alike that they are of one picture."""
