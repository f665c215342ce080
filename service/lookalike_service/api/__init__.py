"""HTTP: routes, one module per resource, and errors as problem documents."""
