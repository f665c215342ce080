"""`make demo`: the whole service on real pictures, in one command."""
