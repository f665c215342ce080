"""`python -m lookalike_indexer` is `lookalike`."""

from lookalike_indexer.cli import main

main()
