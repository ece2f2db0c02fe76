"""Every experiment that we ship takes its steps at its own T, S and L, with a batch of 2."""

import functools
import math
import time
from pathlib import Path

import pytest
import signal_data
import small_data
import tensorflow as tf
from experiments import EXPERIMENTS, ROOT, name_of

from trainer import bindings, commands
from trainer.commands import Command
from trainer.config import DataConfig
from trainer.run_dir.folder import ModelDir


@pytest.fixture(scope='module')
def make_records(tmp_path_factory):
    """Records of an experiment's kind: digits at its size, the standard library, or waves."""

    @functools.cache
    def make(data: DataConfig, max_steps: int) -> str:
        output = tmp_path_factory.mktemp('experiment') / 'records'
        if data.kind == 'signal':
            settings = {'channels': data.channels or 3, 'segment_steps': 300, 'count': 24}
            return signal_data.signal_records(output, most=2400, **settings)
        flags = ['--limit=64', f'--output={output}']
        if data.kind == 'text':
            flags += ['--source=builtin:stdlib', f'--max_steps={max_steps}', '--test_share=0']
        else:
            side = data.image_size or 16
            flags += ['--source=builtin:digits', f'--image_size={side}', '--test_share=0']
            flags += [f'--channels={data.channels or 3}', f'--auxiliary_steps={side * side // 4}']
            flags += ['--permutation_seed=0'] if data.permuted else []
        assert small_data.run_job(*flags) == 0
        return str(output)

    def make_for(path: Path, data: DataConfig) -> str:
        kind = {n: getattr(data, n) for n in ('kind', 'image_size', 'channels', 'permuted')}
        # DBpedia's longest abstract has some 3,600 bytes.
        return make(DataConfig(**kind), 3600 if path.parent.name == 'dbpedia' else 16384)

    return make_for


def losses(model_dir: Path) -> list[float]:
    return [
        float(tf.make_ndarray(value.tensor))
        for path in sorted((model_dir / 'train').glob('events*'))
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
        if value.tag == 'loss'
    ]


@pytest.mark.long
@pytest.mark.parametrize('path', EXPERIMENTS, ids=name_of)
def test_takes_two_steps(path, make_records, tmp_path, capsys):
    config = bindings.load(gin_files=[str(path)], gin_params=[], records='none yet')
    pretrain = min(1, config.run.pretrain_steps)
    params = ['BATCH_SIZE=2', 'TRAIN_STEPS=2', f'PRETRAIN_STEPS={pretrain}']
    params += ['EPOCHS=None'] * (config.run.train_epochs is not None)
    params.append('RunConfig.log_interval=1')
    records, started = make_records(path, config.data), time.monotonic()
    command = Command('train', str(tmp_path), [str(path)], params, records)
    code, error = commands.execute(command), capsys.readouterr().err
    with capsys.disabled():
        print(f'\n{path.relative_to(ROOT)}: {time.monotonic() - started:.1f} s')
    if code:
        # Attention over 4,096 steps and more may not fit: then that is what is said.
        assert config.model.architecture == 'transformer', error
        assert 'a training step needs at least' in error
        return
    assert ModelDir(str(tmp_path)).latest_step() == 2 + pretrain
    found = losses(tmp_path)
    assert len(found) == 2 + pretrain
    assert all(math.isfinite(loss) for loss in found)
