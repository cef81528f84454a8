"""The Mesos v1 API on the wire, and the master-agent link."""
