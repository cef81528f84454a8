"""Runs an agent: `running` puts it together, `linking` keeps the link, `acting` does effects."""
