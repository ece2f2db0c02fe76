"""Raw texts in a graph are what the job makes of the same bytes."""

import codecs

import tensorflow as tf
from hypothesis import strategies as st
from properties import holds

from pipelines.job.items import Rejected
from pipelines.job.text_encoding import text_payload
from trainer.serving.texts import as_utf8

MARKS = {
    b'': 'utf-8',
    codecs.BOM_UTF8: 'utf-8',
    codecs.BOM_UTF16_LE: 'utf-16-le',
    codecs.BOM_UTF16_BE: 'utf-16-be',
    codecs.BOM_UTF32_LE: 'utf-32-le',
    codecs.BOM_UTF32_BE: 'utf-32-be',
}
in_graph = tf.function(
    as_utf8, input_signature=[tf.TensorSpec([], tf.string)], autograph=False, reduce_retracing=True
)


def check(data):
    payload = text_payload(data)
    usable = not isinstance(payload, Rejected) and payload.content.strip()
    try:
        found = in_graph(tf.constant(data)).numpy()
    except tf.errors.InvalidArgumentError:
        found = b''
    assert found == (payload.content if usable else b''), data


def test_every_mark_and_none():
    for mark, name in MARKS.items():
        for text in ('größe 猫🙂\n', ' \t\n', '', 'a\0b', '\ufffd', '\ufeffa'):
            check(mark + text.encode(name))
            check(mark + text.encode(name)[:-1])
    for data in (
        'größe'.encode('cp1252'),
        b'\xff',
        b'\xed\xa0\x80',
        b'\xff\xfe\0\xd8',
        b'\xc0\x80',
    ):
        check(data)


odd_bytes = st.lists(
    st.sampled_from(list(b'\0\0A\xff\xfe\xd8\xdc\xef\xbb\xbf\xc3\xa9 ')), max_size=9
)


@holds(150, mark=st.sampled_from(sorted(MARKS)), rest=odd_bytes)
def test_any_bytes(mark, rest):
    check(mark + bytes(rest))
