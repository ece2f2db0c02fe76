"""Files in batches, answers as lines, progress on a terminal."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipelines.format.errors import LonghaulError
from tools.items import answers, files
from tools.items.answers import Answer
from tools.items.refused import RefusedRequest, one_line

ROOT = Path(__file__).parents[3]


def test_folders_are_walked_in_a_fixed_order(tmp_path):
    for name in ('b/2', 'b/1', 'a/x/1', 'c', '.hidden'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text('')
    (tmp_path / 'nowhere').symlink_to('missing')
    found = files.find_files([str(tmp_path), '-', 'missing'])
    assert [os.path.relpath(f, tmp_path) for f in found[:-2]] == [
        '.hidden', 'c', 'nowhere', 'a/x/1', 'b/1', 'b/2',
    ]  # fmt: skip
    assert found[-2:] == ['-', 'missing']
    with pytest.raises(LonghaulError, match='no file found'):
        files.find_files([])


def test_a_batch_is_no_wider_than_memory_allows(tmp_path, monkeypatch):
    """As many rows as files, each as wide as the longest one: that is what a model makes of it."""
    monkeypatch.setattr(files, '_BATCH_BYTES', 100)
    sizes = [10, 10, 10, 60, 60, 10, 10, 200, 1, 1]
    names = []
    for i, size in enumerate(sizes):
        (tmp_path / str(i)).write_bytes(b'x' * size)
        names.append(str(tmp_path / str(i)))
    found = [[len(item.data) for item in batch] for batch in files.batches(names, batch_size=4)]
    assert found == [[10, 10, 10], [60], [60], [10, 10], [200], [1, 1]]
    found = [len(batch) for batch in files.batches(names[:3], batch_size=2)]
    assert found == [2, 1]


def test_a_file_beyond_what_is_held_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(files, '_MAX_BYTES', 10)
    path = tmp_path / 'x'
    path.write_bytes(b'x' * 10)
    assert files.read_item(str(path)).data == b'x' * 10
    path.write_bytes(b'x' * 11)
    item = files.read_item(str(path))
    assert item.data == b''
    assert 'larger than' in item.error


def test_a_refused_batch_is_asked_item_by_item():
    asked = []

    def ask(items):
        asked.append(len(items))
        if b'bad' in items:
            raise RefusedRequest('too\nlong \x1b[31m')
        return {
            'top_class_names': np.array([[b'cat', b'dog']] * len(items), object),
            'top_probabilities': np.array([[0.75, 0.25]] * len(items), np.float32),
            'readable': np.array([True] * len(items)),
        }

    batch = [files.Item('a', b'1'), files.Item('b', b'bad'), files.Item('c', b'', 'gone')]
    found = list(answers.ask_of(ask, batch, top=1))
    assert asked == [3, 1, 1, 1]
    assert found[0] == Answer('a', (('cat', 0.75),))
    assert found[1].error.isprintable()
    assert found[1].error.startswith('too long')
    assert found[2] == Answer('c', error='gone')


def test_a_line_is_one_line_whatever_is_in_it():
    name = 'a\nb\x1b[31m\x9b\udcff.txt'
    row = Answer(name, (('c\tat', 0.5),)).as_text(30)
    assert row.isprintable()
    line = Answer(name, (('猫', 1 / 3), ('"', 0.25)), 'x').as_json()
    assert '\n' not in line
    assert json.loads(line.encode())['file'] == name
    assert json.loads(line) == {
        'file': name,
        'class_name': '猫',
        'probability': 0.333333,
        'top': [['猫', 0.333333], ['"', 0.25]],
        'error': 'x',
    }


def test_what_others_say_is_cut_to_a_line():
    assert one_line('a\n\tb\x00c' + 'd' * 1000) == 'a b c' + 'd' * 295


class Terminal(io.TextIOWrapper):
    """The near end of a pseudo-terminal; `read()` what it would show."""

    def __init__(self):
        self.far, near = os.openpty()
        super().__init__(open(near, 'wb', buffering=0), write_through=True)  # noqa: SIM115

    def seen(self) -> str:
        os.set_blocking(self.far, False)
        found = b''
        try:
            while part := os.read(self.far, 4096):
                found += part
        except BlockingIOError:
            pass
        return found.decode()


def test_many_files_have_a_line_of_progress_on_a_terminal(monkeypatch, capsys):
    terminal = Terminal()
    monkeypatch.setattr(sys, 'stderr', terminal)
    found = [Answer('a', (('cat', 1.0),)), Answer('b', error='gone'), Answer('c', error='gone')]
    assert answers.show(found, count=3, as_json=False, width=1) == 2
    seen = terminal.seen()
    assert '1 of 3 files, ' in seen
    assert '3 of 3 files, ' in seen
    # Nothing of it stays.
    assert seen.rpartition('\r')[0].rpartition('\r')[2].isspace()
    assert '\n' not in seen
    assert capsys.readouterr().out.splitlines() == [
        'a  cat 100.0%', 'b  unreadable: gone', 'c  unreadable: gone',
    ]  # fmt: skip
    answers.show(found[:1], count=1, as_json=False, width=1)
    assert terminal.seen() == ''


def test_without_a_terminal_there_is_no_progress(capsys):
    answers.show([Answer('a', error='x')] * 3, count=3, as_json=False, width=1)
    assert capsys.readouterr().err == ''


def test_whoever_reads_may_stop_early():
    """As `head` does: no word about it, and the exit code that SIGPIPE would give."""
    code = (
        'from tools.terminal import while_somebody_reads\n'
        'with while_somebody_reads():\n'
        '    for i in range(100_000): print(i)\n'
    )
    with subprocess.Popen(
        [sys.executable, '-c', code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 141
        assert process.stderr.read() == b''
