"""The SQLite store, which servers of one machine share."""
