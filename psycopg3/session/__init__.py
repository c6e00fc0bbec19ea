"""The half of a connection that never waits: it decides, and yields what it needs."""
