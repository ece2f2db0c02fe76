"""One request that a model or a server refuses; others may still be answered."""

from pipelines.format.errors import LonghaulError


class RefusedRequest(LonghaulError):  # noqa: N818 - an answer of the model, not an error of ours
    """Holds in one line why the request is refused."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def one_line(message: object) -> str:
    """Makes a server's text fit for a terminal: one line of 300 characters at most."""
    shown = ''.join(c if c.isprintable() else ' ' for c in str(message))
    return ' '.join(shown.split())[:300]


def no_token(server: str, said: str) -> LonghaulError:
    """What a command says if a server wants another token: it would refuse every item."""
    return LonghaulError(
        f'--token_file: {server} refuses the token ({said}); name the file with its token'
    )
