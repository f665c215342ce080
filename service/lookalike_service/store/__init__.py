"""Stores: collections of points in Qdrant, embedded or on a server."""
