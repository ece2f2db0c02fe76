"""Any bytes are a text: their characters are Python's, cut where Python would cut them."""

import functools

import numpy as np
import tensorflow as tf
from hypothesis import strategies as st
from properties import damaged, holds

from pipelines.format import sequences
from pipelines.format.spec import character_spec, text_spec
from pipelines.format.texts import text_of

SPECS = {'bytes': text_spec, 'characters': character_spec}
CUTS = ('head', 'tail', 'both')
VOCABULARY = 'eaé€\U0001f600\0 \u0301'
data = st.one_of(
    st.binary(max_size=60),
    damaged(st.text(max_size=30).map(str.encode)),
    # Pieces of long characters, forbidden ones, and those beyond Unicode.
    st.lists(
        st.sampled_from([b'a', b'\xc3', b'\xa9', b'\xe2', b'\x82', b'\xac', b'\xf0\x9f', b'\xed'])
        | st.sampled_from([b'\xa0\x80', b'\xc0', b'\xf4\x90', b'\xff', b'\xef\xbb\xbf', b'\0']),
        max_size=40,
    ).map(b''.join),
)


@functools.cache
def decoder(tokens, most, cut):
    """Traced once, for every length."""
    spec = SPECS[tokens](max_steps=most, cut=cut)
    return tf.function(
        lambda data: sequences.decode(data, spec), input_signature=[tf.TensorSpec([], tf.string)]
    )


def cut_off(steps, most, cut):
    if most is None or len(steps) <= most:
        return steps
    first = {'head': most, 'tail': 0, 'both': most - most // 2}[cut]
    return steps[:first] + steps[len(steps) - (most - first) :]


@holds(200, data=data, most=st.sampled_from([None, 1, 4, 5]), cut=st.sampled_from(CUTS))
def test_characters_are_those_of_python(data, most, cut):
    want = cut_off([ord(c) for c in data.decode('utf-8', 'replace')], most, cut)
    assert decoder('characters', most, cut)(tf.constant(data)).numpy().tolist() == want


@holds(60, data=data, most=st.sampled_from([None, 5]), cut=st.sampled_from(CUTS))
def test_bytes_are_themselves(data, most, cut):
    found = decoder('bytes', most, cut)(tf.constant(data)).numpy()
    assert found.tolist() == cut_off(list(data), most, cut)
    assert text_of(found, text_spec()) == bytes(found).decode('utf-8', 'replace')


spelled = tf.function(
    lambda data: sequences.decode(data, character_spec().with_vocabulary(VOCABULARY)),
    input_signature=[tf.TensorSpec([], tf.string)],
)


@holds(80, text=st.text(st.one_of(st.sampled_from(VOCABULARY), st.characters(codec='utf-8'))))
def test_ids_spell_the_text_again(text):
    """But for what has no id."""
    found = spelled(tf.constant(text.encode())).numpy()
    spec = character_spec().with_vocabulary(VOCABULARY)
    assert text_of(found, spec) == ''.join(c if c in VOCABULARY else '\ufffd' for c in text)
    assert found.dtype == np.uint16
