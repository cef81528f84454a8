"""Level-triggered controllers: each is reconcile(key, view, now) -> actions."""
