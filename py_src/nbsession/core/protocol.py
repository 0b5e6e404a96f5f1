"""The version of the way in which kernel and server talk."""

PROTOCOL = 1
"""Raised whenever a kernel of an older nbsession could misread a newer server, or the other way."""

PROTOCOL_HEADER = "X-NBSession-Protocol"
VERSION_HEADER = "X-NBSession-Version"
