"""A shop with a box of similar products: FastAPI, with Lookalike beside it."""
