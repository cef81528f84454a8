"""The only I/O: HTTP, the store, processes, containers, cgroups and the clock."""
