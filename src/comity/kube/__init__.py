"""Kubernetes as a package: API server, controllers, scheduler and node executor."""
