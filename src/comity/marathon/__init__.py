"""Marathon: long-running apps, deployments and health, a framework on the kernel's public API."""
