"""Binds pods to nodes by matching them with Mesos offers."""
