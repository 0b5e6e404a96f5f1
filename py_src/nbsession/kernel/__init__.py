"""The session as user code sees it: the `state` object and its parts."""
