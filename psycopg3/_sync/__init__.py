# Generated from psycopg3/_async/__init__.py by `python tools/unasync.py`: edit that file, not this one.
"""The shells: the rooms that wait. `_sync` is made from `_sync` by tools/unasync.py."""
