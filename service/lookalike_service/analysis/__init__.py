"""Clustering, projection and what they are judged by: arrays in, arrays out."""
