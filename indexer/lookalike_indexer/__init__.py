"""Lookalike's indexer: folders of pictures into collections, and the command line."""
