"""Who may call the service: API keys, their roles and scopes, and where it may be open without them."""
