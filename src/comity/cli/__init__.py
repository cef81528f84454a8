"""The command lines: comity runs the system, dcos uses it."""
