"""An export as a folder: whole or not there, the weights that were evaluated, nothing else."""

import json
import os
import resource
from pathlib import Path

import exports
import numpy as np
import pytest
import tensorflow as tf

from pipelines.format.errors import LonghaulError
from pipelines.format.spec import SequenceSpec
from trainer.run_dir.folder import ModelDir, versions
from trainer.serving import export

KIND = 'characters'


@pytest.fixture
def run(tmp_path):
    return exports.run_of(KIND, tmp_path / 'run')


def left(run: ModelDir) -> list[str]:
    folder = Path(run / 'export')
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def write(run: ModelDir) -> str:
    return export.export(exports.config_of(KIND), run.path, tflite=False)


def test_what_lies_in_an_export(exported):
    folder = Path(exported(KIND))
    assert folder.name == '7'
    assert sorted(os.listdir(folder.parent)) == ['7']
    files = {p.relative_to(folder).as_posix() for p in folder.rglob('*') if p.is_file()}
    wanted = {'saved_model.pb', 'README.md'} | {
        f'assets.extra/{name}' for name in ('longhaul.json', 'tf_serving_warmup_requests')
    }
    assert files >= wanted
    assert not [name for name in files if 'partial' in name]
    about = json.loads((folder / 'assets.extra/longhaul.json').read_text())
    assert SequenceSpec.from_json(about['spec']) == exports.SPECS[KIND]
    assert tuple(about['class_names']) == exports.CLASSES
    assert about['global_step'] == 7
    assert about['auxiliary_steps'] == exports.STEPS


@pytest.mark.parametrize('kind', ['image', 'bytes'])
def test_it_does_not_say_where_it_was_made(exported, kind):
    """No path of the sources, of the libraries or of the run, in no file of it."""
    folder = Path(exported(kind))
    places = [Path(export.__file__).parents[2], Path(tf.__file__).parents[1], folder.parents[1]]
    for path in folder.rglob('*'):
        content = path.read_bytes() if path.is_file() else b''
        assert not [place for place in places if str(place).encode() in content], path
        assert not [word for word in (b'.py', b'/site-packages') if word in content], path


@pytest.mark.parametrize('place', ['write_card', 'warmup.write_warmup', 'tf.io.gfile.rename'])
def test_an_error_in_the_middle_leaves_nothing(run, monkeypatch, place):
    def fail(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(f'trainer.serving.export.{place}', fail)
    with pytest.raises(KeyboardInterrupt):
        write(run)
    assert left(run) == []


def test_what_a_killed_process_has_left_is_no_version_and_is_replaced(run):
    partial = Path(run / 'export/.7.partial')
    partial.mkdir(parents=True)
    (partial / 'saved_model.pb').write_bytes(b'half')
    (partial / 'stale').write_bytes(b'')
    # What TensorFlow Serving and tools.predict look at are names that are numbers.
    assert versions(run / 'export') == []
    folder = write(run)
    assert left(run) == ['7']
    assert not (Path(folder) / 'stale').exists()
    assert 'serving_default' in exports.Loaded(folder).signatures


def test_an_existing_version_is_refused_and_stays(run):
    folder = Path(run / 'export/7')
    folder.mkdir(parents=True)
    (folder / 'mine').write_text('x')
    with pytest.raises(LonghaulError, match='exists already') as refused:
        write(run)
    assert '\n' not in str(refused.value)
    assert (folder / 'mine').exists()
    assert left(run) == ['7']


def test_a_full_disk_is_one_line_and_leaves_nothing(run):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
        with pytest.raises(LonghaulError, match='cannot be written') as refused:
            write(run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert '\n' not in str(refused.value)
    assert left(run) == []


def test_a_folder_that_may_not_be_written_to_is_one_line(run):
    Path(run / 'export').write_text('a file where the folder should be')
    with pytest.raises(LonghaulError, match='cannot be written') as refused:
        write(run)
    assert '\n' not in str(refused.value)


def test_moving_averages_are_what_is_exported(tmp_path):
    """Where a run keeps averages, they are what it was evaluated with."""
    run = exports.run_of(KIND, tmp_path / 'run')
    averages, model = exports.model_of(KIND, seed=1), exports.model_of(KIND)
    exports.save(run, step=8, model=model, averages=averages)
    loaded = exports.Loaded(write(run))
    item = exports.items_of(KIND, 1)
    inputs = tf.constant(loaded.call('decode', data=item)['inputs'])
    found = loaded.call('serving_default', data=item)['probabilities']

    def said(which):
        return tf.nn.softmax(which.classifier(which.encode(which.sequences(inputs, None))))

    np.testing.assert_allclose(found, said(averages), atol=1e-6)
    assert np.abs(found - said(model)).max() > 1e-3


def test_a_run_without_classes_is_refused(tmp_path):
    run = ModelDir(str(tmp_path))
    run.remember_data(exports.SPECS[KIND], ())
    with pytest.raises(LonghaulError, match='without classes'):
        write(run)
