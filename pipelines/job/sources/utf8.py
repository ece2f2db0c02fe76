"""Which texts are UTF-8: others are rejected by name, one by one."""

from pipelines.job.items import Payload, Rejected


def is_utf8(text: str) -> bool:
    """False where bytes (or escapes) that are no UTF-8 were read into a string."""
    try:
        text.encode('utf-8')
    except UnicodeEncodeError:
        return False
    return True


def text_payload(data: bytes) -> Payload | Rejected:
    """A text as it lies in a file or a record."""
    try:
        data.decode('utf-8')
    except UnicodeDecodeError:
        return Rejected('the text is not UTF-8')
    return Payload(data)
