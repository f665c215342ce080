"""Ways to use Lookalike."""
