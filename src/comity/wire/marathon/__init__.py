"""Marathon's REST API (v2) as types: apps, tasks, deployments, ids, versions and errors.

Specification: the RAML documents of Marathon 1.11 (`docs/rest-api/public/api/v2`).
"""
