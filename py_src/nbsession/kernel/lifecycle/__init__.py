"""The beginning and end of a session: hooks, shutdown, expiration."""
