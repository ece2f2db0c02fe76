"""A model of characters: trained, evaluated and served on the same ids."""

import json

import numpy as np
import pytest
import small_data
import source_data
import tensorflow as tf

from trainer import commands
from trainer.commands import Command

pytestmark = pytest.mark.long

FLAGS = (
    '--tokens=characters',
    '--vocabulary_size=25',
    '--segment_steps=50',
    '--auxiliary_steps=16',
)


OF_MORE_BYTES = str.maketrans({'e': 'é', 'o': 'o\u0301', 'a': '漢', 'r': '😀'})


def documents(split: str) -> list[list[str]]:
    """Rows (label, text) of 1 to 90 or more characters; the snowmen are in the test split alone."""
    end = '☃' if split == 'test' else ''
    rows = [[label, text.translate(OF_MORE_BYTES) + end] for label, text in small_data.documents()]
    return [row for i, row in enumerate(rows) if (i % 4 < 2) == (split == 'train')]


@pytest.fixture(scope='module')
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp('characters')
    for split in ('train', 'test'):
        source_data.write_csv(folder / f'{split}.csv', [['label', 'text'], *documents(split)])
    output = folder / 'records'
    assert small_data.run_job(f'--source=csv:{folder}', *FLAGS, f'--output={output}') == 0
    return output


@pytest.fixture(scope='module')
def trained(records, tmp_path_factory):
    """A run of some steps, evaluated and exported."""
    folder = tmp_path_factory.mktemp('run')
    bindings = (
        *small_data.TINY_RUN,
        'RunConfig.train_steps=2',
        'RunConfig.eval_interval=2',
    )
    (folder / 'tiny.gin').write_text('\n'.join(bindings) + '\n')
    run = str(folder / 'run')
    train = Command('train_and_eval', run, [str(folder / 'tiny.gin')], [], records=str(records))
    for command in (
        train,
        Command('eval', run, [], []),
        Command('export', run, [], [], tflite=False),
    ):
        assert commands.execute(command) == 0
    return run


def test_the_records_hold_what_could_differ(records):
    described = source_data.description(records)
    vocabulary = described['spec']['vocabulary']
    assert len(vocabulary) == 25
    assert {len(c.encode()) for c in vocabulary} == {1, 2, 3, 4}
    unknown = described['counts']['vocabulary']['unknown']
    assert unknown['train'] > 0  # Cut off by --vocabulary_size.
    assert unknown['test'] >= len(documents('test'))


def test_an_id_has_a_row_of_the_embedding(trained):
    reader = tf.train.load_checkpoint(f'{trained}/checkpoints')
    shapes = {n: s for n, s in reader.get_variable_to_shape_map().items() if 'embedding/' in n}
    assert [s for n, s in shapes.items() if n.startswith('model/')] == [[26, 5]]


def test_the_export_answers_as_the_evaluation_does(trained):
    with open(f'{trained}/predictions-test.jsonl') as file:
        rows = [json.loads(line) for line in file]
    data = [documents('test')[int(row['id'].split('/')[1])][1] for row in rows]
    assert len(data) == 90
    folder = next(iter(tf.io.gfile.glob(f'{trained}/export/*')))
    serve = tf.saved_model.load(folder).signatures['serving_default']
    out = {k: v.numpy() for k, v in serve(data=tf.constant([*data, '', b'\xff'])).items()}
    assert [n.decode() for n in out['class_name'][:90]] == [row['predicted'] for row in rows]
    probabilities = out['probabilities'].max(axis=-1)[:90]
    np.testing.assert_allclose(probabilities, [row['probability'] for row in rows], atol=2e-6)
    # Other ids would not pass for these.
    other = serve(data=tf.constant([text.replace('é', 'q') for text in data]))
    assert np.abs(other['probabilities'].numpy().max(axis=-1) - probabilities).max() > 1e-4
    # No text is unreadable, and neither is what is no UTF-8: the job would reject it.
    assert out['readable'].tolist() == [True] * 90 + [False, False]


def test_reconstructed_texts_are_characters(trained):
    shown = []
    for path in tf.io.gfile.glob(f'{trained}/validation/events*'):
        for event in tf.compat.v1.train.summary_iterator(path):
            for value in event.summary.value:
                if value.tag.startswith('reconstruction/'):
                    shown.append(value.tensor.string_val[0].decode())
    truths = ''.join(text.split('\n\n')[1] for text in shown)
    assert all(c in text for text in shown for c in ('truth:', 'fed the truth:', 'on its own:'))
    assert {'é', '漢', '😀'} & set(truths)
