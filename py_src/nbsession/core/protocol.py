"""The version of the way in which kernel and server talk."""

PROTOCOL = 1
"""Raised whenever a kernel of an older nbsession could misread a newer server, or the other way."""

MAX_LINK_BYTES = 1536 * 1024
"""Of a kernel's request: the largest arguments of a task, and what else is said of it."""

PROTOCOL_HEADER = "X-NBSession-Protocol"
VERSION_HEADER = "X-NBSession-Version"
