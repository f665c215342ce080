"""Clustering: `algorithms` says what there is, `cluster` runs one, `assign` places new points."""
