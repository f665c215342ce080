"""Where images come from: folders, globs, manifests, lists, archives, addresses, standard input.

`opening.open_source` finds the kind of what is named. Each kind has a module, and all keep the contract of
`item.Source`.
"""
