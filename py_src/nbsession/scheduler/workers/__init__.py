"""Where callables of tasks are called."""
