"""Results' lines: appended whole, read back, the last word counts."""

import pytest

from pipelines.format.errors import LonghaulError
from tools.reproduce import lines


def epoch(step, value, run='a'):
    return {'kind': 'epoch', 'run': run, 'step': step, 'validation_accuracy': value}


def test_what_a_kill_cut_off_is_cut_off(tmp_path):
    path = tmp_path / 'new' / 'some.jsonl'
    assert lines.read(path) == []
    lines.append(path, epoch(1, 0.1))
    with open(path, 'a') as file:
        file.write('{"kind": "epo')
    assert lines.read(path) == [epoch(1, 0.1)]
    lines.append(path, epoch(2, 0.2))
    assert lines.read(path) == [epoch(1, 0.1), epoch(2, 0.2)]


def test_the_last_word_on_a_step_and_on_a_run_counts():
    found = [epoch(2, 0.2), epoch(1, 0.1), epoch(2, 0.3), epoch(1, 0.9, run='b')]
    assert lines.validations(found, 'a') == [epoch(1, 0.1), epoch(2, 0.3)]
    ends = [{'kind': 'run', 'run': 'a', 'finished': f} for f in (False, True)]
    assert lines.outcome(found + ends, 'a') == ends[1]
    assert lines.outcome(found, 'a') is None


@pytest.mark.parametrize('text', ['nonsense', '[1]', '{"kind": "run"}', '{"run": "a"}'])
def test_a_damaged_line_is_refused_by_number(tmp_path, text):
    path = tmp_path / 'some.jsonl'
    lines.append(path, epoch(1, 0.1))
    path.write_text(path.read_text() + text + '\n')
    with pytest.raises(LonghaulError, match='some.jsonl, line 2: lacks .*restore'):
        lines.read(path)
