"""The launcher: the one process per agent that is the parent of its tasks, and outlives it.

`program` is that process, standard library only. `client` is how an agent starts and talks to it.
"""
