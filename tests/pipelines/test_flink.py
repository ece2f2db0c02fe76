"""The job on a cluster of Apache Flink on loopback: the same bytes, whatever happens to it."""

import csv
import signal
import subprocess
import sys
from pathlib import Path

import flink_cluster
import numpy as np
import pytest
import source_data
from flink_cluster import ROOT, Cluster
from source_data import encode_image, idx_bytes, run_job

from pipelines import remote
from pipelines.format import records
from pipelines.format.errors import LonghaulError

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(flink_cluster.WHY_NOT), reason=flink_cluster.WHY_NOT),
]

SHARDS = ('--shards=3', '--segment_steps=20', '--auxiliary_steps=20', '--max_rejected_share=0.2')
# Two passes over enough files that a cluster can be hurt while they are written.
STDLIB = ('--source=builtin:stdlib', '--tokens=characters', '--max_steps=3000', '--shards=16')


@pytest.fixture(scope='module')
def cluster(tmp_path_factory):
    with flink_cluster.running(tmp_path_factory.mktemp('flink')) as found:
        yield found


def photos(folder: Path) -> tuple[str, ...]:
    """A zip of JPEG files: tiles of scikit-learn's two photos; and one that is no picture."""
    from sklearn.datasets import load_sample_images

    files = {'china/broken.jpg': b'no picture'}
    for name, photo in zip(('china', 'flower'), load_sample_images().images, strict=True):
        for i in range(40):
            top, left = i // 8 * 80, i % 8 * 80
            files[f'{name}/{i:02}.jpg'] = encode_image(photo[top:, left:][:80, :80], 'JPEG')
    archive = source_data.write_zip(folder / 'photos.zip', files)
    return f'--source=images:{archive}', '--image_size=16'


def documents(folder: Path) -> tuple[str, ...]:
    """A table of the beginnings of source files; and a row with a column too many."""
    rows = [['label', 'text']]
    for package in (csv, signal, subprocess, pytest, np, records):
        for path in sorted(Path(package.__file__).parent.glob('*.py'))[:30]:
            rows.append([package.__name__, path.read_text(errors='replace')[:900] or 'empty'])
    table = source_data.write_csv(folder / 'documents.csv', [*rows, ['a', 'b', 'c']])
    return f'--source=csv:{table}', '--tokens=characters'


def signals(folder: Path) -> tuple[str, ...]:
    """Handwritten digits row by row as float arrays [T, 1]; and one with NaN."""
    from sklearn.datasets import load_digits

    digits, lines = load_digits(), ['file,label']
    (folder / 'signals').mkdir()
    for i, image in enumerate(digits.images[:120]):
        values = np.tile(image.reshape(-1, 1) / 16, (1 + i % 3, 1)).astype(np.float32)
        values[0] = np.nan if i == 7 else values[0]
        np.save(folder / f'signals/{i}.npy', values)
        lines.append(f'{i}.npy,{digits.target[i]}')
    (folder / 'signals/labels.csv').write_text('\n'.join(lines) + '\n')
    return (f'--source=npy:{folder / "signals"}',)


def digits(folder: Path) -> tuple[str, ...]:
    """MNIST's four files, with scikit-learn's digits in them."""
    from sklearn.datasets import load_digits

    found = load_digits()
    (folder / 'idx').mkdir()
    for split, rows in (('train', slice(0, 300)), ('t10k', slice(300, 400))):
        images = (found.images[rows] * 15).astype(np.uint8)
        (folder / f'idx/{split}-images-idx3-ubyte').write_bytes(idx_bytes(images))
        labels = found.target[rows].astype(np.uint8)
        (folder / f'idx/{split}-labels-idx1-ubyte').write_bytes(idx_bytes(labels))
    return (f'--source=idx:{folder / "idx"}',)


@pytest.fixture
def counted(monkeypatch) -> list[dict[str, int]]:
    """Beam's counters of each job that ends, in the namespace of the product."""
    found, original = [], remote.wait

    def wait(result, beam_options):
        ended = original(result, beam_options)
        counters = result.metrics().query()['counters']
        own = [c for c in counters if c.key.metric.namespace == 'longhaul']
        found.append({c.key.metric.name: 0 for c in own})
        for c in own:
            found[-1][c.key.metric.name] += c.result
        return ended

    monkeypatch.setattr(remote, 'wait', wait)
    return found


@pytest.mark.parametrize('source', [photos, documents, signals, digits])
def test_the_bytes_are_those_of_a_local_job(cluster, tmp_path, counted, source):
    """And the counters; with any parallelism."""
    flags = (*source(tmp_path), *SHARDS)
    assert run_job(*flags, f'--output={tmp_path / "local"}') == 0
    expected = source_data.contents(tmp_path / 'local')
    assert any(name.startswith('rejected-') for name in expected) == (source is not digits)
    for parallelism in (1, 2, 4):
        out = tmp_path / f'flink-{parallelism}'
        assert run_job(*flags, f'--output={out}', *cluster.flags(parallelism)) == 0
        assert source_data.contents(out) == expected
    assert counted[0]['written'] > 50
    assert counted == [counted[0]] * 4


@pytest.fixture(scope='module')
def stdlib(tmp_path_factory) -> dict[str, bytes]:
    """What a local job writes of the standard library."""
    out = tmp_path_factory.mktemp('stdlib') / 'local'
    assert run_job(*STDLIB, f'--output={out}') == 0
    return source_data.contents(out)


class Command:
    """The command as a user types it, in a process of its own, with a job server of its own."""

    def __init__(self, cluster: Cluster, output: Path, *, writing: bool = False) -> None:
        """Its middle is when the cluster runs the job, with `writing` when it writes shards."""
        self.cluster, self.output = cluster, output
        self.middle = self._writes if writing else self._runs
        flags = [*STDLIB, f'--output={output}', *cluster.flags(2, own_server=True)]
        self.process = subprocess.Popen(
            [sys.executable, '-m', 'pipelines.main', *flags],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell lets what runs in its background ignore Ctrl-C, and so its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def __enter__(self) -> 'Command':
        self.cluster.wait_for(self.middle, 'the middle of the job')
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.communicate()

    def _runs(self) -> bool:
        assert self.process.poll() is None, self.process.communicate()
        return any(job['state'] == 'RUNNING' for job in self.cluster.ask('/jobs/overview')['jobs'])

    def _writes(self) -> bool:
        assert self.process.poll() is None, self.process.communicate()
        return any('.tfrecord' in path.name for path in self.output.glob('*'))

    def end(self) -> tuple[int, list[str]]:
        """The exit code and the last line of each stream."""
        streams = self.process.communicate(timeout=flink_cluster.SECONDS)
        assert 'Traceback' not in streams[1]
        return self.process.returncode, [(s.splitlines() or [''])[-1] for s in streams]


def test_a_task_manager_killed_in_the_middle(cluster, tmp_path, stdlib):
    """Flink starts the job again on the other one: nothing is missing, nothing is left half."""
    out = tmp_path / 'out'
    try:
        with Command(cluster, out, writing=True) as command:
            assert not (out / 'records.json').exists()
            cluster.kill('tasks-0')
            assert command.end()[0] == 0
    finally:
        cluster.start()
    newest = max(cluster.ask('/jobs/overview')['jobs'], key=lambda job: job['start-time'])
    assert cluster.ask(f'/jobs/{newest["jid"]}/exceptions')['exceptionHistory']['entries']
    assert source_data.contents(out) == stdlib


def test_a_lost_job_manager(cluster, tmp_path, stdlib):
    """One line, and nothing that passes for finished; later the same command ends well."""
    out = tmp_path / 'out'
    try:
        with Command(cluster, out) as command:
            cluster.kill('jobs')
            code, (_, said) = command.end()
    finally:
        cluster.start()
    assert code == 2
    assert said.startswith('error: --runner=FlinkRunner: the job has not ended well (')
    assert said.endswith('mend the cause and run the same command again')
    with pytest.raises(LonghaulError, match='has not finished'):
        records.read_info(str(out))
    with Command(cluster, out) as command:
        assert command.end()[0] == 0
    assert source_data.contents(out) == stdlib


def test_ctrl_c_leaves_the_job_and_says_so(cluster, tmp_path):
    with Command(cluster, tmp_path / 'out') as command:
        command.process.send_signal(signal.SIGINT)
        code, (_, said) = command.end()
    assert (code, said) == (130, "no longer waiting; the cluster's job goes on: cancel it there")


def test_a_cluster_that_is_not_there_is_one_line(cluster, tmp_path, capsys):
    flags = cluster.flags(1)
    flags[1] = '--job_endpoint=127.0.0.1:9'
    where = f'--output={tmp_path / "out"}'
    message = source_data.refusal(capsys, *STDLIB, where, *flags, '--job_server_timeout=2')
    assert message.startswith('--runner=PortableRunner: the job could not be submitted (')
    assert not (tmp_path / 'out/records.json').exists()
