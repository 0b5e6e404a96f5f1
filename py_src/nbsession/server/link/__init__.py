"""The link's server, on a Unix socket."""
