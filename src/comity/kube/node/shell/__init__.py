"""The node executor's I/O: the agent, the Kubernetes API, the disk, probes; it decides nothing."""
