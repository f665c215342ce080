"""What the service does: encoders, store, analysis and jobs brought together."""
