"""When a run is validated, what it remembers of it, and when it ends early."""

import json

import pytest
import tensorflow as tf

from trainer.config import RunConfig
from trainer.run_dir.folder import ModelDir
from trainer.run_dir.validations import LogValidation, ValidationLog
from trainer.training.phase import is_over
from trainer.training.phases import Phase
from trainer.training.validation import train_and_validate

PHASE = Phase('joint', 10, 40, True)


def alternate(step, validated, *, stop_after=99):
    """What a run does that stands at a step: 't20' trains until 20, 'v' validates."""
    done = []
    train_and_validate(
        PHASE,
        interval=12,
        step=step,
        validated=validated,
        train=lambda to: done.append(f't{to}'),
        validate=lambda: done.append('v'),
        is_over=lambda: done.count('v') >= stop_after,
    )
    return ' '.join(done)


@pytest.mark.parametrize(
    ('step', 'validated', 'wanted'),
    [
        (10, [], 't22 v t34 v t40 v'),
        (15, [], 't22 v t34 v t40 v'),
        (22, [], 'v t34 v t40 v'),
        (22, [22], 't34 v t40 v'),
        (39, [22, 34], 't40 v'),
        (40, [22, 34], 'v'),
        (40, [22, 34, 40], ''),
    ],
)
def test_the_steps_are_the_phases_own_wherever_it_resumes(step, validated, wanted):
    assert alternate(step, validated) == wanted


def test_ends_early():
    assert alternate(10, [], stop_after=2) == 't22 v t34 v'


def save(folder, step):
    variable = tf.Variable(step, dtype=tf.int64)
    tf.train.CheckpointManager(
        tf.train.Checkpoint(global_step=variable), folder.checkpoints, 1
    ).save()


def test_what_lies_beyond_the_checkpoint_is_forgotten(tmp_path):
    folder = ModelDir(str(tmp_path))
    save(folder, 20)
    log = ValidationLog(folder)
    for step, accuracy in ((10, 0.5), (20, 0.7), (30, 0.9)):
        action = LogValidation(
            log,
            phase='joint',
            global_step=tf.Variable(step, dtype=tf.int64),
            seconds=tf.Variable(1.26),
            steps_per_epoch=8,
        )
        action({'accuracy': accuracy, 'labelled': 9})
    assert ValidationLog(folder).steps == [10, 20]
    lines = [json.loads(x) for x in (tmp_path / 'validations.jsonl').read_text().splitlines()]
    want = {'phase': 'joint', 'step': 20, 'epochs': 2.5, 'seconds': 1.3, 'accuracy': 0.7}
    assert lines[1] == want | {'labelled': 9}


def test_best_and_patience(tmp_path):
    log = ValidationLog(ModelDir(str(tmp_path)))
    assert log.is_best(0.0, 5)
    assert not is_over(RunConfig(patience=1), log)
    log.add({'step': 5, 'loss': 1.0})
    for step, accuracy in ((10, 0.5), (20, 0.7), (30, 0.6), (40, 0.7)):
        log.add({'step': step, 'accuracy': accuracy, 'labelled': 9})
    log.add({'step': 45, 'accuracy': 0.0, 'labelled': 0})
    assert log.is_best(0.71, 50)
    assert not log.is_best(0.7, 50)
    assert log.is_best(0.6, 20)
    assert log.without_progress() == 2
    assert [is_over(RunConfig(patience=n), log) for n in (2, 3, None)] == [True, False, False]
