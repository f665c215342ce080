"""Models trained on a user's own pictures: autoencoders, and heads on frozen embeddings."""
