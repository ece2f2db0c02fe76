"""The flags of `python -m tools.serve`, checked."""

import dataclasses

from pipelines.format.errors import LonghaulError
from tools import flags
from tools.flags import flag
from tools.serve.models import folder as folders
from tools.serve.models.folder import Policy, policy_of
from tools.tokens import read_token

_MOST_PORT = 65_535
_MOST_SECONDS = 86_400


@dataclasses.dataclass(frozen=True)
class Options:
    """The flags; names that TensorFlow Serving has too mean what they mean there."""

    export_dir: str
    port: int = flag('port of gRPC; 0: a free one', 8500)
    rest_api_port: int = flag('port of REST and of the page; 0: a free one', 8501)
    model_name: str = flag('name that clients ask for', 'longhaul')
    open: bool = flag('answer other machines too, not this one alone', False)
    token_file: str = flag('file with a token that clients must send', '')
    versions: str = flag('newest, all, or numbers, such as 10000,12000', 'newest')
    label: list[str] = flag('LABEL=VERSION, such as stable=10000; may be repeated', [])
    file_system_poll_wait_seconds: float = flag('seconds between two looks at the folder', 1.0)
    enable_model_warmup: bool = flag("replay a version's warm-up requests before others", True)
    max_batch_size: int = flag('items that are computed together; 1: no batching', 32)
    batch_timeout: float = flag('milliseconds that a request waits for others', 2.0)
    num_batch_threads: int = flag('batches computed at once; 0: as many as cores', 0)
    max_body_bytes: int = flag('bytes of a request', 64 << 20)
    max_items: int = flag('items of a request', 65_536)
    max_item_bytes: int = flag('bytes of a text, a picture or an array', 16 << 20)
    max_requests: int = flag('requests that are answered at once', 128)
    request_timeout: float = flag('seconds for a request', 60.0)
    max_streams: int = flag('sessions of streams that are kept', 256)
    stream_timeout: float = flag('seconds after which an idle session ends', 300.0)

    def __post_init__(self) -> None:
        folders.check(self.export_dir)
        self._check_numbers()
        if not self.model_name or set(self.model_name) & set('/:'):
            raise LonghaulError(
                f'--model_name={self.model_name}: a name without / and : is needed, such as photos'
            )
        self.policy()

    def _check_numbers(self) -> None:
        names = ('max_batch_size', 'max_body_bytes', 'max_items', 'max_item_bytes', 'max_requests')
        flags.at_least(1, **{name: getattr(self, name) for name in names})
        flags.at_least(
            0,
            port=self.port,
            rest_api_port=self.rest_api_port,
            num_batch_threads=self.num_batch_threads,
            max_streams=self.max_streams,
        )
        for name in ('port', 'rest_api_port'):
            if getattr(self, name) > _MOST_PORT:
                raise LonghaulError(
                    f'--{name}={getattr(self, name)}: 0 to {_MOST_PORT} is allowed; name another'
                )
        seconds = ('request_timeout', 'stream_timeout', 'file_system_poll_wait_seconds')
        flags.above_zero(**{name: getattr(self, name) for name in (*seconds, 'batch_timeout')})
        for name in seconds:
            if getattr(self, name) > _MOST_SECONDS:
                raise LonghaulError(
                    f'--{name}={getattr(self, name):g}: up to {_MOST_SECONDS} seconds are allowed; '
                    'name fewer'
                )
        if self.max_body_bytes >= 1 << 31:
            raise LonghaulError(
                f'--max_body_bytes={self.max_body_bytes}: less than 2^31 is allowed; name fewer'
            )

    @property
    def host(self) -> str:
        """The address that is listened on."""
        return '0.0.0.0' if self.open else '127.0.0.1'

    def policy(self) -> Policy:
        """Which versions are wanted.

        Raises:
          LonghaulError: naming the flag.
        """
        return policy_of(self.versions, self.label)

    def token(self) -> str:
        """The token in --token_file; '' without that flag.

        Raises:
          LonghaulError: if the file holds none.
        """
        return read_token(self.token_file)
