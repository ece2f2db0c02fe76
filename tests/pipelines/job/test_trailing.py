"""Trailing steps of whole jobs: behind what was written before, the same in any order."""

import dataclasses
import functools

import numpy as np
import pytest
import source_data
from exports import npy
from source_data import by_id, contents, description, run_job

from pipelines.format import records
from pipelines.format.anchors import id_hash
from pipelines.format.spec import SequenceSpec, text_spec
from pipelines.format.trailing import tails
from pipelines.job import graph, reading
from tools.verify import __main__ as verify

KINDS = {
    'images': ('--image_size=4', '--max_rejected_share=0.1'),
    'colours': ('--image_size=4', '--steps_per_pixel=3', '--pixel_order=hilbert'),
    'bytes': ('--max_steps=14', '--cut=both'),
    'characters': ('--tokens=characters', '--vocabulary_size=9'),
    'uint8': (),
    'float16': ('--max_steps=5',),
}
FLAGS = ('--auxiliary_steps=5', '--segment_steps=6', '--validation_share=0.3', '--seed=4')
NOISE = ('--trailing_steps=7', '--trailing=noise')


@pytest.fixture(scope='module')
def inputs(tmp_path_factory):
    """Images and arrays in folders, a table of texts."""
    root = tmp_path_factory.mktemp('trailing')
    pictures = source_data.picture_files(12)
    source_data.write_folder(root / 'images', pictures | {'cat/bad.png': b'bad'})
    source_data.write_folder(root / 'colours', pictures)
    for kind in ('bytes', 'characters'):
        source_data.write_csv(root / kind, source_data.documents(12))
    for dtype in ('uint8', 'float16'):
        arrays = {f'{i}.npy': npy(np.full([i + 2, 3], i, dtype)) for i in range(12)}
        labels = ''.join(f'{name},a\n' for name in arrays)
        source_data.write_folder(
            root / dtype, arrays | {'labels.csv': f'file,label\n{labels}'.encode()}
        )
    return root


@pytest.fixture(scope='module')
def before(inputs, tmp_path_factory):
    """The folder of the records without trailing steps, by kind."""
    place = tmp_path_factory.mktemp
    return functools.cache(lambda kind: job(inputs, kind, place(kind) / 'records'))


def job(inputs, kind, output, *flags):
    source = {'images': 'images', 'colours': 'images', 'bytes': 'csv', 'characters': 'csv'}
    name = source.get(kind, 'npy')
    all_flags = (*KINDS[kind], *FLAGS, *flags)
    assert run_job(f'--source={name}:{inputs / kind}', f'--output={output}', *all_flags) == 0
    return output


@pytest.mark.parametrize('trailing', ['blank', 'noise'])
@pytest.mark.parametrize('kind', KINDS)
def test_they_stand_behind_what_was_written_before(inputs, before, tmp_path, kind, trailing):
    old = by_id(before(kind))
    flags = NOISE if trailing == 'noise' else NOISE[:1]
    folder = job(inputs, kind, tmp_path / 'after', *flags)
    spec, after = records.read_info(str(folder)).spec, by_id(folder)
    assert (spec.trailing_steps, spec.trailing) == (7, trailing)
    # The vocabulary too.
    assert spec.without_trailing() == records.read_info(str(before(kind))).spec
    assert len(after) == len(old) == 12
    for name, example in after.items():
        (tail,) = tails(spec, np.array([id_hash(name)], np.uint64))
        assert tail.any() == (trailing == 'noise')
        assert example.values == old[name].values + tail.tobytes()
        assert example.length == old[name].length + 7
    assert verify.main([str(folder)]) == 0
    old, new = (description(path)['counts'] for path in (before(kind), folder))
    steps = {split: old['steps'][split] + 7 * count for split, count in old['splits'].items()}
    assert new['steps'] == steps


@pytest.mark.parametrize('kind', ['images', 'characters'])
def test_none_of_them_change_no_byte(inputs, before, tmp_path, kind):
    found = contents(job(inputs, kind, tmp_path / 'records', '--trailing_steps=0'))
    assert found == contents(before(kind))
    assert b'trailing' not in found['records.json']


@pytest.mark.parametrize('kind', ['images', 'characters'])
def test_another_order_and_other_shards_hold_the_same(inputs, tmp_path, monkeypatch, kind):
    folder = job(inputs, kind, tmp_path / 'one', *NOISE, '--shards=1')
    many = job(inputs, kind, tmp_path / 'many', *NOISE, '--shards=5')
    assert by_id(many) == by_id(folder)
    original = graph._listed
    monkeypatch.setattr(graph, '_listed', lambda *a: reversed(list(original(*a))))
    monkeypatch.setattr(reading, '_BATCH_ITEMS', 3)
    again = job(inputs, kind, tmp_path / 'again', *NOISE, '--shards=1')
    assert contents(again) == contents(folder)


def test_auxiliary_steps_may_reach_into_them(inputs, tmp_path, capsys):
    flags = (*KINDS['images'], *FLAGS, '--trailing_steps=7')
    source = f'--source=images:{inputs / "images"}'
    place = f'--output={tmp_path / "records"}'
    assert run_job(source, place, *flags, '--auxiliary_steps=22') == 0
    said = source_data.refusal(capsys, source, place, *flags, '--auxiliary_steps=23', '--overwrite')
    assert said.startswith('--auxiliary_steps=23: the images have 23 steps')


@pytest.mark.parametrize(('kind', 'steps'), [('bytes', 1 << 20), ('images', (1 << 20) - 16)])
def test_long_ones_bound_a_batch(kind, steps):
    """What a worker holds at a time, whatever is appended."""
    spec = text_spec() if kind == 'bytes' else SequenceSpec('image', image_size=4)
    assert reading._most_items(spec) == 256
    assert reading._most_items(dataclasses.replace(spec, trailing_steps=steps)) == 4
