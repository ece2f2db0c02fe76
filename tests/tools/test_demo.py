"""The demonstration, at its smallest: its table, its pictures, and what the export answers."""

import contextlib
import io
import json
import re

import pytest
import tensorflow as tf

from pipelines import launcher
from tools import json_lines
from tools.demo import __main__ as command
from tools.demo import show, steps
from tools.demo.steps import MODELS, Count, Demo
from tools.predict import __main__ as predict


def call_here(_, module, *arguments, keep=False):
    """As `steps.call`, in this process: a start costs seconds."""
    main = {'pipelines.main': launcher.main, 'tools.predict': predict.main}[module]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert main(list(arguments)) == 0
    return said.getvalue() if keep else ''


@pytest.fixture(scope='module')
def shown(tmp_path_factory):
    """A finished demonstration of 5x5 pixels, and what it printed."""
    demo = Demo(tmp_path_factory.mktemp('demo') / 'out', side=5, train_steps=2, digits=200)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(steps, 'call', call_here)
        with contextlib.redirect_stdout(io.StringIO()) as said:
            show.run(demo)
    return demo, said.getvalue()


def row_of(text, name):
    """Its numbers: accuracy, both ends of its interval, reach, memory, seconds; in percent."""
    (row,) = (line for line in text.splitlines() if line.startswith(f'  {name:<24}'))
    return [float(number) for number in re.findall(r'-?[\d.]+', row.split(name, 1)[1])]


def test_the_table_says_what_the_runs_say(shown):
    demo, text = shown
    for name, reach in (('plain LSTM', 12), ('r-LSTM', 12), ('full BPTT', 50)):
        result = json.loads((demo.folder(name) / 'result.json').read_text())
        assert (result['steps'], result['finished']) == (2, True)
        accuracy, low, high, reached, memory, seconds = row_of(text, name)
        assert accuracy == pytest.approx(100 * result['test_accuracy'], abs=0.051)
        assert [low, high] == pytest.approx([100 * x for x in result['test_interval']], abs=0.051)
        assert reached == reach
        assert memory == pytest.approx(100 * result['memory_curve']['total'], abs=0.51)
        assert seconds == pytest.approx(result['seconds'], abs=0.51)
    assert 'Digits at 5x5, one pixel a step, then 25 blank steps: 50 steps; 2 training' in text
    for place in (demo.records, demo.exported, *demo.pictures, *map(demo.folder, MODELS)):
        assert str(place) in text
        assert place.exists()


def test_the_export_says_what_the_trainer_said(shown, monkeypatch):
    demo, text = shown
    monkeypatch.setattr(steps, 'call', call_here)
    predicted = json_lines.read(demo.folder('r-LSTM') / 'predictions-test.jsonl')
    answers = demo.answers()
    assert len(answers) == len(predicted) > 10
    by_id = {row['id']: row['predicted'] for row in predicted}
    for file, name in answers.items():
        assert by_id[file.rpartition('/')[2].removesuffix('.png')] == name
    assert row_of(text, 'r-LSTM, served')[:3] == row_of(text, 'r-LSTM')[:3]


def test_the_pictures_show_something(shown):
    demo, _ = shown
    for picture in demo.pictures:
        pixels = tf.io.decode_png(picture.read_bytes()).numpy()
        assert pixels.shape[0] > 100
        assert pixels.std() > 1


def test_an_export_that_says_something_else_is_refused(shown, monkeypatch, capsys):
    demo, _ = shown
    for step in ('run_job', 'train', 'export', 'draw'):
        monkeypatch.setattr(Demo, step, lambda *_: None)
    right = demo.evaluated('r-LSTM')
    labels = {str(n): 'a' for n in range(right.total)}
    wrong = {file: 'a' if int(file) < right.right + 1 else 'b' for file in labels}
    monkeypatch.setattr(Demo, 'write_images', lambda _: labels)
    monkeypatch.setattr(Demo, 'answers', lambda _: wrong)
    with pytest.raises(ValueError, match='the served model names'):
        show.run(demo)
    assert show.report(demo, Count(right.right + 1, right.total)) in capsys.readouterr().out


@pytest.mark.parametrize(
    ('flags', 'message'),
    [
        (['--side=4'], 'error: --side=4: 5 to 64 is allowed, such as DEMO_SIDE=16\n'),
        (['--train_steps=0'], 'error: --train_steps=0: a whole number of at least 1 is needed\n'),
    ],
)
def test_refuses_in_one_line(flags, message, tmp_path, capsys):
    assert command.main([*flags, f'--output={tmp_path}']) == 1
    assert capsys.readouterr().err == message
    assert not list(tmp_path.iterdir())


def test_without_training_steps_they_fit_into_five_minutes(tmp_path):
    assert [Demo.of(tmp_path, side=s, train_steps=None).train_steps for s in (8, 16, 28)] == [
        1200,
        400,
        600,
    ]


def test_a_command_that_fails_ends_the_demonstration(capfd):
    assert steps.call('-c', 'print(1)', keep=True) == '1\n'
    with pytest.raises(SystemExit) as stopped:
        steps.call('-c', 'raise SystemExit(3)')
    assert stopped.value.code == 3
    assert '$ python -c raise SystemExit(3)' in capfd.readouterr().out
