"""What nbsession raises and warns with."""


class NBSessionWarning(UserWarning):
    """Something that `state` offers is missing here; the message says how to mend it."""


class LinkError(OSError):
    """The server that started this kernel could not be asked."""


class LinkRefusedError(LinkError):
    """The server answered, and refused: a wrong token, or a kernel that it no longer knows."""


class LinkProtocolError(LinkError):
    """Kernel and server run versions of nbsession that do not understand each other."""
