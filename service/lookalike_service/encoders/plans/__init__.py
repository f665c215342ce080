"""Execution plans: the fastest way this machine runs a network, measured and checked against float32."""
