"""`lookalike doctor`: checks an installation and says what to do. A module of checks per subject."""
