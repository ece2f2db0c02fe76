"""Marked blocks: filled by name, and nothing else is touched."""

import pytest

from pipelines.format.errors import LonghaulError
from tools import blocks

TEXT = 'By hand.\n<!-- benchmark: {} -->\n{}<!-- end -->\nMore.\n'


def test_blocks_are_filled_and_nothing_else(tmp_path):
    path = tmp_path / 'job.md'
    other = '<!-- results: speed -->\nkept\n<!-- end -->\n'
    path.write_text(TEXT.format('speed', 'old\n') + other + TEXT.format('memory some', ''))
    assert blocks.names_of(path, 'benchmark') == ['speed', 'memory some']
    assert blocks.names_of(path, 'results') == ['speed']
    blocks.fill(path, 'benchmark', {'memory some': '| new |\n\\1'})
    filled = TEXT.format('speed', 'old\n') + other + TEXT.format('memory some', '| new |\n\\1\n')
    assert path.read_text() == filled


def test_a_block_without_an_end_is_refused(tmp_path):
    path = tmp_path / 'job.md'
    path.write_text('<!-- benchmark: speed -->\n' + TEXT.format('memory', ''))
    with pytest.raises(LonghaulError, match='a block has no `<!-- end -->`; add it'):
        blocks.names_of(path, 'benchmark')
