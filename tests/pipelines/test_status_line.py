"""A line that is written over, as a terminal shows it."""

import io

import pytest
from terminal import Terminal

from pipelines.status_line import StatusLine


def test_one_text_after_another_in_one_place():
    stream = Terminal()
    line = StatusLine(stream)
    line.show('the first of two')
    line.show('second')
    assert stream.lines == ['second']
    line.clear()
    assert stream.lines == ['']


def test_lines_that_stay_stand_above():
    stream = Terminal()
    line = StatusLine(stream)
    line.show('1 of 2')
    line.write('note')
    line.show('2 of 2')
    assert stream.lines == ['note', '2 of 2']
    line.keep()
    assert stream.lines == ['note', '2 of 2', '']


@pytest.mark.parametrize('end', ['clear', 'keep'])
def test_no_terminal_shows_none(end):
    stream = io.StringIO()
    line = StatusLine(stream)
    line.show('1 of 2')
    getattr(line, end)()
    assert stream.getvalue() == ''
    line.write('done')
    assert stream.getvalue() == 'done\n'
