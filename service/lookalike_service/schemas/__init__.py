"""Wire types: the JSON that requests carry and answers hold, a file for each topic."""
