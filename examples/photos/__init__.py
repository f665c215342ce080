"""Photos with a warning of near duplicates: Flask, with Lookalike beside it."""
