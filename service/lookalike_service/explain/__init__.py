"""Explanations: which pixels an embedding or a likeness comes from."""
