"""The commands, one module each, listed in the entry-point group `lookalike.commands`."""
