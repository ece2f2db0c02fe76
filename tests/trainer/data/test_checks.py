"""Records of another kind than those of a run are refused, the difference named shortly."""

import pytest

from pipelines.format.errors import LonghaulError
from pipelines.format.spec import character_spec, text_spec
from trainer.data.checks import check_same_data

CLASSES = ('a', 'b')


def refused(saved, spec):
    check_same_data(saved, CLASSES, saved, CLASSES)
    with pytest.raises(LonghaulError) as caught:
        check_same_data(saved, CLASSES, spec, CLASSES)
    return str(caught.value)


def test_another_vocabulary_of_the_same_size_is_named_by_its_hash():
    common = ''.join(map(chr, range(32, 1031)))
    saved, spec = (character_spec().with_vocabulary(common + c) for c in '漢字')
    message = refused(saved, spec)
    assert f"vocabulary_sha256='{saved.vocabulary_sha256}'" in message
    assert f"these have '{spec.vocabulary_sha256}'" in message
    assert len(message) < 300


def test_vocabularies_in_another_order_differ():
    saved, spec = (character_spec().with_vocabulary(v) for v in ('ab', 'ba'))
    assert saved.vocabulary_sha256 in refused(saved, spec)


def test_characters_are_no_bytes():
    message = refused(text_spec(), character_spec().with_vocabulary('ab'))
    assert "dtype='uint8', these have 'uint16'" in message
