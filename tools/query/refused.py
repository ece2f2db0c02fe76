"""The server's no to one request; others may still be answered."""


class RefusedRequest(Exception):  # noqa: N818 - an answer of the server, not an error of ours
    """Says in one line what the server said."""

    def __init__(self, message: str) -> None:
        super().__init__(' '.join(message.split())[:300])
