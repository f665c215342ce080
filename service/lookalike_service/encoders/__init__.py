"""Encoders: decoded images to embeddings."""
