"""Damaged small files of a run: whatever lies in them is read, or refused by the file's name."""

import json
from pathlib import Path

import pytest
import small_data
import tensorflow as tf
from hypothesis import strategies as st
from properties import holds, outcome
from whole_runs import execute

from pipelines.format.errors import LonghaulError
from pipelines.format.spec import SequenceSpec
from trainer import bindings
from trainer.run_dir.folder import ModelDir
from trainer.run_dir.same_run import check_same_run
from trainer.run_dir.validations import ValidationLog
from trainer.serving import card
from trainer.training.skipped import SkippedBatches

SPEC, CLASSES, RECORDS = SequenceSpec('image', image_size=4), ('a', 'b'), {'train': 'ab'}
VALIDATION = {'step': 4, 'accuracy': 0.5, 'labelled': 9}
EVALUATION = {
    'global_step': 5,
    'accuracy': 0.9,
    'accuracy_low': 0.8,
    'accuracy_high': 0.95,
    'labelled': 7,
}


@pytest.fixture(scope='module')
def config():
    return bindings.load(gin_files=[], gin_params=small_data.TINY_RUN, records='here')


@pytest.fixture(scope='module')
def run(tmp_path_factory, config):
    """The small files of a run that stands at step 5."""
    folder = ModelDir(str(tmp_path_factory.mktemp('run')))
    saved = tf.train.Checkpoint(global_step=tf.Variable(5, dtype=tf.int64))
    tf.train.CheckpointManager(saved, folder.checkpoints, 1).save()
    folder.remember_command(['a.gin'], ['SIDE=4'], 'c0ffee')
    folder.remember_data(SPEC, CLASSES, RECORDS)
    check_same_run(folder, config, change=False)
    ValidationLog(folder).add(VALIDATION)
    Path(folder / 'evaluation-test.json').write_text(json.dumps(EVALUATION))
    return folder


@pytest.fixture(scope='module')
def readers(run, config):
    """By file, all that reads it."""

    def read_command():
        run.commits(), run.command()

    def read_validations():
        log = ValidationLog(run)
        log.steps, log.last, log.is_best(0.5, 9), log.without_progress()

    def write_card():
        values = {'version': 5, 'checkpoint': 'best/ckpt-5', 'signatures': {}, 'others': []}
        card.write_card(run, config, SPEC, CLASSES, **values)

    return {
        'config.json': lambda: check_same_run(run, config, change=False),
        'command.json': read_command,
        'data.json': lambda: run.check_data(SPEC, CLASSES, RECORDS, change=False),
        'validations.jsonl': read_validations,
        'evaluation-test.json': write_card,
    }


FILES = ['config.json', 'command.json', 'data.json', 'validations.jsonl', 'evaluation-test.json']


def refusal_of(run, readers, name, damage):
    """What is said about a damaged file, which is whole again afterwards; None: it can be read."""
    path = Path(run / name)
    sound = path.read_bytes()
    try:
        path.write_bytes(damage(sound))
        _, refusal = outcome(LonghaulError, readers[name])
    finally:
        path.write_bytes(sound)
    return refusal and str(refusal)


def places(values):
    """(container, key) of every value within a JSON value."""
    inside = values.items() if isinstance(values, dict) else enumerate(values)
    for key, value in inside:
        yield values, key
        if isinstance(value, dict | list):
            yield from places(value)


ODD = [None, True, -1, 0.5, 2**70, float('nan'), float('inf'), '\n', [], ['x'], {}, {'step': 3}]


@pytest.mark.parametrize('name', FILES)
def test_one_fault_anywhere(run, readers, name):
    def exchange(sound, place, new):
        values = json.loads(sound)
        known = list(places(values))
        container, key = known[place % len(known)]
        container[key] = new
        return json.dumps(values).encode()

    def each(keep, place, new):
        def cut(sound):
            return sound[: int(keep * len(sound))]

        for damage in (cut, lambda sound: exchange(sound, place, new)):
            said = refusal_of(run, readers, name, damage)
            assert said is None or name in said or 'model_dir' in said

    holds(25, keep=st.floats(0, 1), place=st.integers(0, 99), new=st.sampled_from(ODD))(each)(25)


@pytest.mark.parametrize('name', FILES)
def test_what_is_no_json_is_refused_with_what_to_do(run, readers, name):
    for data in (b'', b'\xff\xfe\x00', b'[' * 5000, b'{"a": 1'):
        said = refusal_of(run, readers, name, lambda sound, data=data: data)
        assert said.startswith(f'{run.path}/{name}: damaged (')
        assert 'bring it back from a copy, or remove it: ' in said


def test_skipped_batches_that_are_no_text_are_refused(tmp_path):
    (tmp_path / 'skipped.jsonl').write_bytes(b'\xff\n')
    count = tf.Variable(1, dtype=tf.int64)
    skipped = SkippedBatches(ModelDir(str(tmp_path)), split=None, order=None, count=count, most=9)
    with pytest.raises(LonghaulError, match=r'skipped\.jsonl: damaged'):
        skipped.add([], 5)


def test_a_command_says_it_in_one_line(run, digit_records, capsys):
    Path(run / 'operative.gin').write_text('\n'.join(small_data.TINY_RUN) + '\n')
    Path(run / 'validations.jsonl').write_text('{"step": 4, "accuracy"')
    assert execute(None, run.path, 'train_and_eval', records=digit_records) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith(f'error: {run.path}/validations.jsonl: damaged (')
