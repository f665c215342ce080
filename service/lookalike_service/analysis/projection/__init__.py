"""Projection to 2 or 3 dimensions: `methods` says what there is, `project` runs one."""
