"""JSON objects, one a line."""

import json

import pytest

from tools import json_lines


def test_a_string_may_hold_what_looks_like_a_line_break(tmp_path):
    rows = [{'file': 'a\u2028b\x85c.png'}, {'file': 'd'}]
    text = ''.join(json.dumps(row, ensure_ascii=False) + '\n' for row in rows)
    path = tmp_path / 'rows.jsonl'
    path.write_text(text + '\n', encoding='utf-8')
    assert json_lines.read(path) == rows
    assert list(json_lines.parse(text.split('\n'))) == rows


def test_a_damaged_line_is_an_error(tmp_path):
    path = tmp_path / 'rows.jsonl'
    path.write_text('{"a": 1}\n{"a"\n')
    with pytest.raises(ValueError, match='delimiter'):
        json_lines.read(path)
