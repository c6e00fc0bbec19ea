# Generated from psycopg3/_async/__init__.py by `python tools/unasync.py`: edit that file, not this one.
"""The asynchronous shells, on asyncio and trio: the rooms that wait. `_sync` is made from them."""
