"""The kernel: admission, offers, the allocator and the Mesos v1 API."""
