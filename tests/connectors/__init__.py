"""Connectors for tests, one kind under one name in each world: `threads` and `tasks`."""
