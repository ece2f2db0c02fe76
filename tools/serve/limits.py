"""What one request, and all requests together, may ask for."""

import contextlib
import dataclasses
import hmac
from collections.abc import Iterator

import grpc

from tools.serve.models.loaded import Arrays
from tools.serve.refusal import Refusal, busy, invalid

# Bodies in memory at once, for each protocol, as a multiple of the largest one allowed.
MOST_BODIES = 8


@dataclasses.dataclass(frozen=True)
class Limits:
    """The limits of a server.

    Attributes:
      body_bytes: of a request.
      items: of a request.
      item_bytes: of a text, a picture or an array.
      requests: that are answered at once.
      seconds: for a request, from its first byte to its answer.
      streams: sessions that are kept.
      stream_seconds: after which an idle session ends.
      local: whether clients must name this machine by its address, or as localhost.
      token: that clients must send; '' for none.
    """

    body_bytes: int
    items: int
    item_bytes: int
    requests: int
    seconds: float
    streams: int
    stream_seconds: float
    local: bool = False
    token: str = dataclasses.field(default='', repr=False)

    def check(self, inputs: Arrays) -> None:
        """Refuses too many items, or too long ones.

        Raises:
          Refusal: 400, with the flag that sets the limit.
        """
        for name, array in inputs.items():
            # Texts are counted along all axes: each one is looked at here.
            count = array.size if array.dtype == object else len(array) if array.ndim else 1
            if count > self.items:
                raise invalid(
                    f'{name}: at most {self.items} items are allowed in a request '
                    f'(--max_items), got {count}'
                )
            if array.dtype == object:
                self.check_item(max((len(item) for item in array.ravel()), default=0), name)

    def check_item(self, size: int, name: str = 'data') -> None:
        """Refuses an item of more bytes than allowed, as `check` does."""
        if size > self.item_bytes:
            raise invalid(
                f'{name}: at most {self.item_bytes} bytes are allowed in an item '
                f'(--max_item_bytes), got {size}; send it in chunks'
            )

    def check_token(self, authorization: str) -> None:
        """Refuses a client that does not send the token.

        Args:
          authorization: 'Bearer TOKEN'.

        Raises:
          Refusal: 401.
        """
        sent = authorization.encode('utf-8', 'replace')
        if self.token and not hmac.compare_digest(sent, f'Bearer {self.token}'.encode()):
            raise Refusal(
                grpc.StatusCode.UNAUTHENTICATED,
                'the token is missing or wrong; send authorization: Bearer TOKEN',
            )


class Gate:
    """Lets so many requests in at once; used in the event loop's thread alone."""

    def __init__(self, most: int) -> None:
        self._most, self._inside = most, 0

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Is inside while entered.

        Raises:
          Refusal: 429, if too many are.
        """
        if self._inside >= self._most:
            raise busy(
                f'{self._most} requests are being answered (--max_requests); try again later'
            )
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
