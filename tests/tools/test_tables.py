"""Markdown tables, as they are pasted and as people read them."""

import pytest

from tools import tables

HEAD, ROWS = ('name', 's'), [('a', '1.50'), ('longer', '10.25')]


def test_plain():
    assert tables.table(HEAD, ROWS, right=('s',)).splitlines() == [
        '| name | s |',
        '| --- | ---: |',
        '| a | 1.50 |',
        '| longer | 10.25 |',
    ]


def test_padded():
    assert tables.table(HEAD, ROWS, right=('s',), padded=True).splitlines() == [
        '| name   |     s |',
        '| ------ | ----: |',
        '| a      |  1.50 |',
        '| longer | 10.25 |',
    ]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match='zip'):
        tables.table(HEAD, [('a',)])
