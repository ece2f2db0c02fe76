"""The estimate of a step's memory: how it grows, and (long) what a process really takes."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.format import records
from pipelines.format.spec import text_spec
from trainer import bindings
from trainer.training import memory
from trainer.training.memory import BASE_BYTES

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope='module')
def info(digit_records):
    return records.read_info(digit_records)


def estimate(info, *params, replicas=1):
    wide = ['ModelConfig.hidden_units=64', 'ObjectiveConfig.auxiliary_steps=32']
    return memory.estimate(
        bindings.load(gin_files=[], gin_params=[*wide, *params]), info, replicas=replicas
    )


def total(parts):
    return sum(part.bytes for part in parts)


@pytest.mark.parametrize(('trailing', 'expected'), [(0, 12), (20, 32)])
def test_the_longest_sequence_has_its_trailing_steps(info, trailing, expected):
    """Documents that are cut to 11 steps, in segments of 4."""
    spec = dataclasses.replace(text_spec(max_steps=11), trailing_steps=trailing)
    lengths = {'train': {'64': 5}}
    texts = dataclasses.replace(info, spec=spec, lengths=lengths, segment_steps=4)
    assert memory.longest_steps(texts) == expected


RECONSTRUCTION = 'ObjectiveConfig.reconstruction_weight=1.0'


def test_truncation_bounds_the_window_and_full_bptt_does_not(info):
    def window(steps):
        found = estimate(info, f'ObjectiveConfig.supervised_bptt_steps={steps}')
        return next(part.bytes for part in found if part.name == 'supervised window')

    assert window(20) == 2 * window(10)
    assert window(64) == window(10_000), 'the sequences have 64 steps'


@pytest.mark.parametrize(
    ('small', 'large'),
    [
        ('DataConfig.batch_size=8', 'DataConfig.batch_size=16'),
        ('ObjectiveConfig.auxiliary_steps=8', 'ObjectiveConfig.auxiliary_steps=32'),
        ('ModelConfig.hidden_units=8', 'ModelConfig.hidden_units=16'),
        ('ObjectiveConfig.anchors_per_sequence=1', 'ObjectiveConfig.anchors_per_sequence=3'),
        (
            "ObjectiveConfig.pixel_loss='squared_error'",
            "ObjectiveConfig.pixel_loss='cross_entropy'",
        ),
        ('ObjectiveConfig.prediction_weight=0.0', 'ObjectiveConfig.prediction_weight=1.0'),
    ],
)
def test_more_needs_more(info, small, large):
    few, many = (estimate(info, RECONSTRUCTION, param) for param in (small, large))
    assert total(few) < total(many)


def test_counts_the_weights_of_the_losses_in_use_alone(info):
    def weights(*params):
        return next(p.bytes for p in estimate(info, *params) if p.name == 'weights and slots')

    plain, prediction = weights(), 'ObjectiveConfig.prediction_weight=1.0'
    assert plain < weights(prediction) < weights(RECONSTRUCTION, prediction)


def test_replicas_share_a_batch(info):
    one, two = (estimate(info, RECONSTRUCTION, replicas=n) for n in (1, 2))
    assert total(two) < total(one) < 2 * total(two)


def test_what_is_free_is_a_number_of_this_machine():
    free = memory.available_bytes()
    if free is not None:
        assert 0 < free < 1 << 50


@pytest.mark.parametrize(
    ('limit', 'used', 'counts', 'cache'),
    [
        ('memory.max', 'memory.current', 'memory.stat', 'inactive_file'),
        (
            'memory/memory.limit_in_bytes',
            'memory/memory.usage_in_bytes',
            'memory/memory.stat',
            'total_inactive_file',
        ),
    ],
)
def test_a_container_gives_back_the_cache_of_files(tmp_path, limit, used, counts, cache):
    (tmp_path / limit).parent.mkdir(exist_ok=True)
    (tmp_path / limit).write_text('5000\n')
    (tmp_path / used).write_text('4900\n')
    (tmp_path / counts).write_text(f'anon 100\n{cache} 4500\nactive_file 300\n')
    assert memory.available_bytes(cgroup=str(tmp_path)) == 4600
    (tmp_path / limit).write_text('max\n')
    assert memory.available_bytes(cgroup=str(tmp_path)) != 4600


MEASURE = """
import sys
from trainer import bindings
from trainer.devices import execution
from trainer.training import run
from trainer.devices import strategies
from trainer.devices.cluster import ClusterFlags
settings = bindings.load(gin_files=[], gin_params=sys.argv[3:], records=sys.argv[1])
how = execution.prepare(settings, tpu=False)
strategy = strategies.make_strategy(ClusterFlags())
this = run.Run(settings, sys.argv[2], strategy=strategy, execution=how)
this.train(operative_config='', validate=False)
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
print(int(status['VmHWM'].split()[0]) << 10)
"""


@pytest.mark.long
@pytest.mark.parametrize(
    'params',
    [
        ['ObjectiveConfig.supervised_bptt_steps=64'],
        ['ObjectiveConfig.supervised_bptt_steps=32', RECONSTRUCTION],
        [RECONSTRUCTION, 'ObjectiveConfig.prediction_weight=1.0'],
    ],
    ids=['full', 'r', 'rp'],
)
def test_a_process_takes_more_and_no_multiple_of_it(info, digit_records, tmp_path, params):
    """With a batch so large that the estimate is more than a rounding."""
    params = [
        'DataConfig.batch_size=200',
        'ModelConfig.hidden_units=1024',
        'ObjectiveConfig.auxiliary_steps=32',
        'RunConfig.train_steps=2',
        *params,
    ]
    done = subprocess.run(
        [sys.executable, '-c', MEASURE, digit_records, str(tmp_path / 'run'), *params],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    peak = int(done.stdout.splitlines()[-1])
    least = total(estimate(info, *params))
    print(f'{params}: peak {peak >> 20} MiB, at least {least >> 20}')
    assert least + BASE_BYTES / 2 < peak < 3 * least + BASE_BYTES
