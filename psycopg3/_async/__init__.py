"""The asynchronous shells, on asyncio and trio: the rooms that wait. `_sync` is made from them."""
