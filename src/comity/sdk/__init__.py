"""Public clients: write a scheduler or an executor in a page of asyncio; clients of our APIs."""
