"""Lookalike's service: embeddings, explanations, search, clusters and maps over HTTP."""

__version__ = "0.1.0"
