"""Speed, as ratios measured in one run: `python -m bench`, or `python -m bench NAME ...`."""
