"""What differs between threads and tasks, under the same names in `threads` and `tasks`."""
