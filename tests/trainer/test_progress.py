"""The line that a person watches."""

import tensorflow as tf

from trainer import progress


def test_duration():
    assert [progress.duration(s) for s in (0, 61.4, 3599.6)] == ['0:00', '1:01', '1:00:00']


def test_says_phase_step_losses_accuracy_speed_and_time_left(monkeypatch):
    clock = iter([100.0, 110.0, 115.0])
    monkeypatch.setattr(progress.time, 'monotonic', lambda: next(clock))
    step, lines = tf.Variable(4, dtype=tf.int64), []
    line = progress.ProgressLine(phase='joint', global_step=step, last_step=64, write=lines.append)
    step.assign(24)
    line({'accuracy': 0.5, 'loss': 1.25, 'supervised_loss': 1.0, 'learning_rate': 9.0})
    step.assign(64)
    line({'loss': 1.0})
    assert lines == [
        'joint  step 24/64  loss 1.2500  supervised 1.0000  accuracy  50.0%  2.00 steps/s  '
        '0:20 left',
        'joint  step 64/64  loss 1.0000  8.00 steps/s  0:00 left',
    ]
