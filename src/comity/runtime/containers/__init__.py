"""Containers, as the agent launches them: described by a `core.containers.Spec`.

A containerizer turns a description into an order for the launcher and cleans up afterwards.
`process` runs plain processes, `oci` image containers through an OCI runtime.
"""
