"""The shells: the rooms that wait. `_sync` is made from `_async` by tools/unasync.py."""
