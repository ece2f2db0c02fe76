"""A model's or a server's no to one request; others may still be answered."""


class RefusedRequest(Exception):  # noqa: N818 - an answer of the model, not an error of ours
    """Says in one line what was said."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def one_line(message: object) -> str:
    """What a server or TensorFlow says, fit for a terminal: in one line that ends."""
    shown = ''.join(c if c.isprintable() else ' ' for c in str(message))
    return ' '.join(shown.split())[:300]
