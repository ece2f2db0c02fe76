"""What a run says: on a terminal, in a log, as JSON."""

import io
import json

import pytest
import tensorflow as tf
from terminal import Terminal

from trainer.monitoring import progress

LOGS = {'accuracy': 0.5, 'loss': 1.25, 'supervised_loss': 1.0, 'learning_rate': 9.0}
LINE = 'joint  step 24/64  loss 1.2500  supervised 1.0000  accuracy  50.0%  2.00 steps/s  0:20 left'
LAST = 'joint  step 64/64  loss 1.0000  8.00 steps/s  0:00 left'
VALID = {'accuracy': 0.25, 'accuracy_low': 0.2, 'accuracy_high': 0.3, 'labelled': 100}
FOUND = 'accuracy 25.00% (95 % interval 20.00% to 30.00%, 100 examples)  supervised 2.0000'


def said(monkeypatch, log_format, stream, **settings):
    """What two loops, a validation and a message come to; the loops end at 10 s and 15 s."""
    clock = [100.0]
    monkeypatch.setattr(progress.time, 'monotonic', lambda: clock[0])
    step = tf.Variable(4, dtype=tf.int64)
    reporter = progress.Reporter(log_format, stream=stream, **settings)
    line = progress.ProgressLine(
        phase='joint', global_step=step, first_step=4, last_step=64, reporter=reporter
    )
    for seconds, target, logs in ((110, 24, LOGS), (112, 28, LOGS), (116.5, 64, {'loss': 1.0})):
        clock[0] = seconds
        step.assign(target)
        line(logs)
    reporter.evaluation('validation', 64, {**VALID, 'supervised_loss': 2.0})
    reporter.message('done')
    return stream.getvalue()


def test_duration():
    assert [progress.duration(s) for s in (0, 61.4, 3599.6)] == ['0:00', '1:01', '1:00:00']


def test_a_log_file_gets_few_lines(monkeypatch):
    """The first loop, the last one, and what lies half a minute apart."""
    text = said(monkeypatch, 'auto', io.StringIO())
    assert text.splitlines() == [LINE, LAST, f'validation  {FOUND}', 'done']


def test_text_has_every_loop(monkeypatch):
    lines = said(monkeypatch, 'text', io.StringIO()).splitlines()
    assert lines[0] == LINE
    assert lines[1].startswith('joint  step 28/64')
    assert lines[2] == LAST


def test_a_terminal_shows_one_line_until_something_ends(monkeypatch):
    stream = Terminal()
    text = said(monkeypatch, 'auto', stream)
    assert text.index(LINE) < text.index('joint  step 28/64') < text.index('\n')
    assert stream.lines == [LAST, f'validation  {FOUND}', 'done', '']


@pytest.mark.parametrize('stream', [io.StringIO, Terminal])
def test_json_is_one_object_a_line(monkeypatch, stream):
    found = [json.loads(x) for x in said(monkeypatch, 'json', stream()).splitlines()]
    assert [x['event'] for x in found] == ['training'] * 3 + ['evaluation', 'message']
    assert found[0].items() >= {'phase': 'joint', 'step': 24, 'last_step': 64, **LOGS}.items()
    assert found[0].items() >= {'steps_per_second': 2.0, 'seconds_left': 20.0}.items()
    assert found[3].items() >= {'split': 'validation', 'step': 64, **VALID}.items()
    assert found[4]['text'] == 'done'


@pytest.mark.parametrize(
    ('unit', 'text'),
    [
        ('bits_per_step', 'reconstruction 2.0000 bits per step'),
        ('squared_error', 'reconstruction 2.0000 squared error'),
        ('explained', 'reconstruction 200.0% explained'),
    ],
)
def test_a_loss_has_one_unit_in_training_and_validation(unit, text):
    logs = {'loss': 3.0, 'reconstruction_loss': 1.5, f'reconstruction_{unit}': 2.0}
    assert progress.describe(logs) == f'loss 3.0000  {text}'
    assert progress.summarize(logs) == text


def test_another_worker_says_nothing(monkeypatch):
    assert said(monkeypatch, 'text', io.StringIO(), quiet=True) == ''
