"""Dialing: links that a user's connector makes, and what it takes for libpq to talk over them."""
