"""Texts in any encoding of Python's, and bytes in none."""

from encodings import aliases

from hypothesis import assume
from hypothesis import strategies as st
from properties import holds, outcome

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Payload, Rejected
from pipelines.job.text_encoding import cell_to_utf8, check_encoding, text_payload, to_utf8


def is_usable(name):
    _, error = outcome(LonghaulError, check_encoding, name)
    return error is None


NAMES = sorted(name for name in {*aliases.aliases.values()} if is_usable(name))
names = st.sampled_from(NAMES)
MARKS = (b'\xef\xbb\xbf', b'\xff\xfe', b'\xfe\xff', b'\0\0\xfe\xff')


def encoded(text, name):
    try:
        return text.encode(name)
    except UnicodeError:
        return None


def decoded(data, name):
    try:
        return data.decode(name).encode().decode()
    except UnicodeError:
        return None


@holds(150, text=st.text(), name=names)
def test_what_an_encoding_can_write_is_read_again(text, name):
    data = encoded(text, name)
    assume(data is not None and not data.startswith(MARKS) and decoded(data, name) == text)
    found = to_utf8(data, check_encoding(name))
    # The same bytes may be UTF-8 as well, of another text.
    assert found is not None
    assert found[0].decode() == (text if found[1] == name else decoded(data, 'utf-8'))


@holds(
    300,
    data=st.builds(bytes.__add__, st.sampled_from([b'', b'', *MARKS]), st.binary(max_size=40)),
    name=st.none() | names,
)
def test_any_bytes_are_a_text_or_rejected(data, name):
    found = text_payload(data, check_encoding(name) if name else None)
    if isinstance(found, Rejected):
        assert decoded(data, 'utf-8') is None
    else:
        assert isinstance(found, Payload)
        # Without the mark, if that was UTF-8's.
        readings = {decoded(data, found.encoding), decoded(data, 'utf-8-sig')}
        assert found.content.decode() in readings
    cell = cell_to_utf8(data.decode('utf-8', 'surrogateescape'), check_encoding(name))
    assert cell is None or cell[0].decode() == decoded(data, cell[1])


@holds(100, name=st.text() | st.text('abcdefgh0123456789-_.: \0', max_size=20), table=st.booleans())
def test_any_name_is_an_encoding_or_refused(name, table):
    found, error = outcome(LonghaulError, lambda: check_encoding(name, table=table))
    if error is None and found is not None:
        assert encoded('a', found)
    else:
        assert error is None or str(error).startswith('--encoding=')
