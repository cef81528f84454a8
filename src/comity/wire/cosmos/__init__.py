"""The Cosmos package API and the Universe format on the wire."""
