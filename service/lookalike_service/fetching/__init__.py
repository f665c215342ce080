"""Pictures from URLs that callers give, without lending them this machine's place in the network."""
