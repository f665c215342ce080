"""How the service is seen from outside: metrics and traces. Knows nothing of what it measures."""
