"""Lookalike's service: embeddings, explanations, search, clusters and maps over HTTP."""
