"""Encoder and store in one process without HTTP, for bulk indexing: `lookalike index --direct`.

The indexer finds it as an entry point, and knows of it no more than its own `targets.Target` says.
"""
