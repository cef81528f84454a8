"""The Kubernetes API: storage, admission, patches, watches, all driven by the published schemas."""
