"""Runs the API server: `keys` makes and keeps its certificates and tokens, `running` serves."""
