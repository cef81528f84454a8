"""Public clients: write a scheduler or an executor in a page of asyncio; typed clients of Comity's APIs."""
