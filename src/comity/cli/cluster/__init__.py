"""A whole cluster on one machine: what `comity up`, `status` and `down` are made of.

`up` is a small supervisor (standard library only, because it stays resident): it claims a work
directory (`workdir`), shares the machine among the agents (`machine`), chooses addresses
(`addresses`), plans the components' command lines (`plan`), and keeps them running (`supervisor`).
What runs is written to `cluster.json` in the work directory (`record`), which `status` and `down`
read, and which lets a later `up` replace what a killed one left behind (`strays`).
"""
