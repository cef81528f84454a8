"""Comity: a datacenter operating system, Marathon and Kubernetes on one Mesos-v1 kernel."""

__version__ = "0.1.0"
