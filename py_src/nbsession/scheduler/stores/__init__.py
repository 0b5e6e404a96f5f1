"""Stores of tasks and runs: in memory, in SQLite."""
