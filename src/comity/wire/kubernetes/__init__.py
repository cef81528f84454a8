"""The Kubernetes API on the wire: published schemas and the objects built from them."""
