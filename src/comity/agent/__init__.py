"""One machine of the pool: executors, tasks, containers and status updates."""
