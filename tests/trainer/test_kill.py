"""A run killed at any moment and started again ends with the bits of one that nobody killed."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import killing
import numpy as np
import pytest
import small_data
import tensorflow as tf

from trainer.run_dir.folder import ModelDir

ROOT = Path(__file__).parents[2]
PARAMS = (
    *small_data.TINY_RUN,
    'RunConfig.pretrain_steps=20',
    'RunConfig.train_steps=40',
    'RunConfig.log_interval=3',
    'RunConfig.checkpoint_interval=6',
    'RunConfig.eval_interval=16',
    'OptimizerConfig.ema_decay=0.9',
    'RunConfig.evaluate_test=False',
)
# In the order of the run. Those of save: and state: lie inside of a checkpoint's write.
MOMENTS = (
    'loop:before:0',
    'save:begin:3',
    'save:tensors:5',
    'loop:after:7',
    'restored:0',
    'save:merged:9',
    'state:written:12',
    'evaluating:16',
    'pretrained:before:20',
    'pretrained:after:20',
    'save:sweep:20',
    'loop:before:20',
    'save:tensors:23',
    'evaluated:32',
    'best:after:36',
    'validated:36',
    'file:written:36',
    'save:begin:42',
    'evaluating:48',
    'state:written:50',
    'validated:52',
    'best:before:60',
)


def run(folder, records, moments, *, mirrored=False, params=PARAMS):
    """Starts a run once per moment, and once more; returns its model_dir."""
    gin_file = folder.parent / f'{folder.name}.gin'
    gin_file.write_text('\n'.join(params) + '\n')
    command = {
        'mode': 'train_and_eval',
        'model_dir': str(folder),
        'gin_files': [str(gin_file)],
        'gin_params': [],
        'records': records,
    }
    log = folder.parent / f'{folder.name}.log'
    flags = ['--mirrored'] if mirrored else []
    done = subprocess.run(
        [
            *(sys.executable, killing.__file__, str(log), *flags, *moments),
            *('--', json.dumps(command)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': f'{ROOT}:{ROOT / "tests" / "support"}'},
    )
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout
    # Every kill happened at the moment that it is named after.
    assert done.stdout.count('killed at ') == len(moments), done.stdout
    return ModelDir(str(folder))


def digest(path) -> tuple[str, list[str]]:
    """sha256 over all variables of a checkpoint, slots of the optimizer included; their names."""
    reader, total = tf.train.load_checkpoint(path), hashlib.sha256()
    names = [n for n in sorted(reader.get_variable_to_shape_map()) if n.endswith('VALUE')]
    # How long it took and how often it was saved may differ; nothing else.
    names = [n for n in names if not n.startswith(('save_counter', 'seconds'))]
    for name in names:
        total.update(name.encode() + np.ascontiguousarray(reader.get_tensor(name)).tobytes())
    return total.hexdigest(), names


def without_time(folder: ModelDir) -> list[dict]:
    lines = (Path(folder.path) / 'validations.jsonl').read_text().splitlines()
    return [{k: v for k, v in json.loads(x).items() if k != 'seconds'} for x in lines]


def assert_same_end(killed: ModelDir, whole: ModelDir) -> None:
    for part in ('checkpoints', 'best'):
        paths = [tf.train.latest_checkpoint(folder / part) for folder in (killed, whole)]
        assert len({Path(p).name for p in paths}) == 1
        (want, names), (got, others) = map(digest, reversed(paths))
        assert names == others
        assert got == want, part
        assert len(names) > (50 if part == 'checkpoints' else 20)
    assert any(
        'optimizer_joint' in name
        for name in digest(tf.train.latest_checkpoint(killed.checkpoints))[1]
    )
    assert without_time(killed) == without_time(whole)
    results = [json.loads((Path(f.path) / 'result.json').read_text()) for f in (killed, whole)]
    for result in results:
        for name in ('seconds', 'peak_memory_mb', 'gin_file', 'config_hash'):
            del result[name]
    assert results[0] == results[1]


@pytest.fixture(scope='module')
def whole(digit_records, tmp_path_factory):
    return run(tmp_path_factory.mktemp('whole') / 'run', digit_records, [])


@pytest.mark.long
def test_twenty_two_kills_and_the_same_bits(whole, digit_records, tmp_path):
    inside = [m for m in MOMENTS if m.startswith(('save:', 'state:'))]
    assert len(MOMENTS) >= 20
    assert len(inside) >= 5
    assert_same_end(run(tmp_path / 'run', digit_records, MOMENTS), whole)


@pytest.mark.long
def test_kills_under_two_mirrored_replicas(digit_records, tmp_path):
    whole = run(tmp_path / 'whole', digit_records, [], mirrored=True)
    moments = ('loop:after:3', 'save:tensors:5', 'pretrained:after:20', 'evaluated:36')
    moments += ('state:written:42', 'validated:52')
    assert_same_end(run(tmp_path / 'run', digit_records, moments, mirrored=True), whole)
