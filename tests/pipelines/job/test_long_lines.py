"""Documents of one line of a hundred megabytes: in memory that is a small multiple of the line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LINE = b'lorem ipsum; ' * 8_000_000
# In a process of its own, whose peak is that of nothing else.
CHILD = """
import json, resource, sys
from pipelines import launcher

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

before = peak()
code = launcher.main(sys.argv[1:])
print(json.dumps({'code': code, 'bytes': peak() - before}))
"""


def write(folder, kind):
    if kind == 'texts':
        for name, data in {'long': LINE, 'short': b'short', 'last': b'last'}.items():
            (folder / 'in' / 'a').mkdir(parents=True, exist_ok=True)
            (folder / 'in' / 'a' / name).write_bytes(data)
        return folder / 'in'
    rows = {
        'csv': [b'text', b'short', b'"' + LINE + b'"', b'last'],
        'jsonl': [b'{"text":"%s"}' % data for data in (b'short', LINE, b'last')],
    }[kind]
    (folder / f't.{kind}').write_bytes(b'\n'.join(rows))
    return folder / f't.{kind}'


@pytest.mark.long
@pytest.mark.parametrize('flags', [(), ('--tokens=characters', '--cut=both')], ids=['', 'both'])
@pytest.mark.parametrize('kind', ['texts', 'csv', 'jsonl'])
def test_a_line_of_a_hundred_megabytes(tmp_path, kind, flags):
    arguments = (
        f'--source={kind}:{write(tmp_path, kind)}',
        f'--output={tmp_path / "out"}',
        '--max_steps=1000',
        '--validation_share=0',
        *flags,
    )
    done = subprocess.run(
        [sys.executable, '-c', CHILD, *arguments],
        env=os.environ | {'PYTHONPATH': str(ROOT), 'CUDA_VISIBLE_DEVICES': ''},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found['code'] == 0
    print(kind, flags, f'{found["bytes"] / len(LINE):.1f} times the line')
    assert found['bytes'] < 10 * len(LINE)
    lengths = json.loads((tmp_path / 'out' / 'stats.json').read_text())['lengths']['train']
    assert lengths == {'4': 1, '8': 1, '1024': 1}
