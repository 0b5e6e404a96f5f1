"""The server's side of its workers, the processes that call tasks: `executor` is the entry."""
