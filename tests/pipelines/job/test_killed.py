"""The typed command, killed by SIGKILL: nothing passes for finished, and again it ends the same."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import source_data
from source_data import documents, run_job

from pipelines.format import records
from pipelines.format.errors import LonghaulError

ROOT = Path(__file__).parents[3]
FLAGS = ('--auxiliary_steps=5', '--segment_steps=8', '--shards=2', '--max_rejected_share=0.2')
MOMENTS = (
    'create:.job.json',
    'created:train-00000',
    'rename:train-00000',
    'renamed:train-00000',
    'create:validation-00001',
    'rename:validation-00001',
    'renamed:rejected-',
    'create:stats.json',
    'renamed:stats.json',
    'create:records.json',
    'created:records.json',
    'rename:records.json',
)


def starts(folder, moments, *flags):
    """What each start came to, the last one without a kill."""
    log, support = folder / 'log', ROOT / 'tests' / 'support'
    log.unlink(missing_ok=True)
    command = [sys.executable, str(support / 'killing_jobs.py'), str(log), *moments, '--', *flags]
    paths = os.pathsep.join(map(str, (ROOT, support)))
    done = subprocess.run(
        command,
        env=os.environ | {'PYTHONPATH': paths},
        cwd=folder,
        capture_output=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr.decode()
    found = [json.loads(line) for line in log.read_text().splitlines()]
    assert [start['moment'] for start in found] == [*moments, None]
    return found


@pytest.mark.long
def test_killed_at_any_moment(tmp_path):
    rows = [*documents(), ['too', 'many', 'columns']]
    source = f'--source=csv:{source_data.write_csv(tmp_path / "t.csv", rows)}'
    assert run_job(source, f'--output={tmp_path / "expected"}', *FLAGS) == 0
    expected = source_data.contents(tmp_path / 'expected')
    out = tmp_path / 'out'
    # One after another in one folder: each start finds what the one before has left.
    *killed, last = starts(tmp_path, MOMENTS, source, f'--output={out}', *FLAGS)
    for start in killed:
        assert start['code'] == -signal.SIGKILL, start
        assert 'records.json' not in start['files'], start
    assert any(name.endswith('.partial') for start in killed for name in start['files'])
    assert last['code'] == 0
    assert source_data.contents(out) == expected
    # Killed while it replaces what is finished: nothing half-new passes for finished either.
    *killed, last = starts(
        tmp_path, ('created:train-00001',), source, f'--output={out}', *FLAGS, '--overwrite'
    )
    assert killed[0]['code'] == -signal.SIGKILL
    assert 'records.json' not in killed[0]['files']
    assert source_data.contents(out) == expected
    # After the last rename all is there, and is left alone.
    (out / 'records.json').unlink()
    *killed, last = starts(tmp_path, ('renamed:records.json',), source, f'--output={out}', *FLAGS)
    assert (killed[0]['code'], last['code']) == (-signal.SIGKILL, 2)
    assert source_data.contents(out) == expected


def test_what_a_kill_leaves_is_no_data_set(tmp_path):
    """All the files but the last one: the trainer's own reader refuses them."""
    source = f'--source=csv:{source_data.write_csv(tmp_path / "t.csv", documents())}'
    out = tmp_path / 'out'
    assert run_job(source, f'--output={out}', *FLAGS) == 0
    (out / 'records.json').rename(out / 'records.json.partial')
    with pytest.raises(LonghaulError, match='has not finished'):
        records.read_info(str(out))
    assert run_job(source, f'--output={out}', *FLAGS) == 0
    assert not list(out.glob('*.partial'))
