"""The project's own tools: generators, checks, and the commands of the README."""
