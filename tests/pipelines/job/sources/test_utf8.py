"""Which texts are UTF-8."""

import pytest

from pipelines.job.items import Payload, Rejected
from pipelines.job.sources.utf8 import is_utf8, text_payload


@pytest.mark.parametrize('data', [b'', b'plain', 'größe €'.encode(), b'\xef\xbb\xbfx'])
def test_utf8_stays_as_it_is(data):
    assert text_payload(data) == Payload(data)
    assert is_utf8(data.decode())


@pytest.mark.parametrize('data', [b'caf\xe9', b'\xff\xfeh\0i\0', b'\xed\xa0\x80'])
def test_other_bytes_are_rejected(data):
    found = text_payload(data)
    assert isinstance(found, Rejected)
    assert found.reason == 'the text is not UTF-8'
    assert not is_utf8(data.decode('utf-8', 'surrogateescape'))
