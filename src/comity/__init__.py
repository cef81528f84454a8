"""Comity: a datacenter operating system with a Mesos-v1 kernel, Marathon and Kubernetes on one pool."""

__version__ = "0.1.0"
