"""The Marathon REST API on the wire."""
