"""tfds: data sets that TFDS prepares from their original files, and what it cannot give us."""

import collections
import dataclasses
import os
import pickle

import numpy as np
import pytest
import requests
import source_data
import tensorflow_datasets as tfds
import tfds_data
from source_data import IMAGE_FLAGS, encode_image, pixels, refusal, rejected, run_job
from tensorflow_datasets.core.download.checksums import compute_url_info
from tensorflow_datasets.image_classification import mnist

from pipelines.format.errors import LonghaulError
from pipelines.job.plan import make_plan
from pipelines.job.sources.tfds.dataset import make_tfds
from pipelines.options import JobOptions

TEXT_FLAGS = ('--auxiliary_steps=5', '--segment_steps=8')


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Without it, a forgotten download would be tried for minutes."""

    def get(self, url, **_):
        raise requests.ConnectionError(f'no network for {url}\nnor for others')

    monkeypatch.setattr(requests.Session, 'get', get)


def job(name, data_dir, output, *flags):
    where = (f'--source=tfds:{name}', f'--data_dir={data_dir}', f'--output={output}')
    assert run_job(*where, *flags) == 0
    return output


def labelled(folder, *splits):
    """(class name or None, values) of all examples, with how often they occur."""
    names = source_data.description(folder)['class_names']
    return collections.Counter(
        (None if e.label < 0 else names[e.label], e.values)
        for e in source_data.by_id(folder, *splits).values()
    )


def ids(split, count):
    return [f'{split}/{i:06}' for i in range(count)]


@pytest.fixture
def mnist_files(tmp_path, monkeypatch):
    """A folder of MNIST's four files, with 30 and 10 images."""
    monkeypatch.setattr(mnist, '_TRAIN_EXAMPLES', 30)
    monkeypatch.setattr(mnist, '_TEST_EXAMPLES', 10)
    return source_data.write_idx(tmp_path / 'idx', suffix='.gz', side=28)


def test_mnist_from_its_original_files(tmp_path, mnist_files, capsys):
    """Against idx:, which reads the same four files without TFDS."""
    files = {path.name: path.read_bytes() for path in mnist_files.iterdir()}
    tfds_data.seed_downloads(tmp_path / 'data', 'mnist', files)
    out = job('mnist', tmp_path / 'data', tmp_path / 'out', '--validation_share=0')
    captured = capsys.readouterr()
    assert f'note: tfds:mnist is not prepared in {tmp_path / "data"}; TFDS down' in captured.err
    assert captured.out.startswith('10 classes, 784 steps each, ')
    flags = (f'--source=idx:{mnist_files}', '--validation_share=0')
    assert run_job(*flags, f'--output={tmp_path / "idx_out"}') == 0
    for split, count in (('train', 30), ('test', 10)):
        assert labelled(out, split) == labelled(tmp_path / 'idx_out', split)
        assert sorted(source_data.by_id(out, split)) == ids(split, count)
    described = source_data.description(out)
    assert described['class_names'] == [str(i) for i in range(10)]
    assert (described['spec']['image_size'], described['spec']['channels']) == (28, 1)
    # Again, now from the prepared data, by a version, and with nothing to say about it.
    again = job('mnist:3.0.1', tmp_path / 'data', tmp_path / 'again', '--validation_share=0')
    assert source_data.contents(again) == source_data.contents(out)
    assert 'not prepared' not in capsys.readouterr().err


def test_imdb_reviews_from_its_original_file(tmp_path, capsys):
    train = {
        f'train/{k}/{i}_7.txt': f'{k} {i}: größe €'.encode()
        for k in ('neg', 'pos')
        for i in range(12)
    }
    test = {
        f'test/{k}/{i}_7.txt': f'{k} {i} tested'.encode() for k in ('neg', 'pos') for i in range(4)
    }
    more = {'train/unsup/0_0.txt': b'nobody knows', 'README': b'about'}
    files = {f'aclImdb/{name}': data for name, data in (train | test | more).items()}
    archive = tfds_data.tar_gz(files)
    tfds_data.seed_downloads(tmp_path / 'data', 'imdb_reviews', {'aclImdb_v1.tar.gz': archive})
    out = job('imdb_reviews/plain_text', tmp_path / 'data', tmp_path / 'out', *TEXT_FLAGS)
    assert capsys.readouterr().err.splitlines()[-1] == (
        'note: tfds:imdb_reviews/plain_text: train, validation, test are read; left out: '
        'unsupervised (1 examples)'
    )
    for splits, texts in ((('train', 'validation'), train), (('test',), test)):
        expected = {(name.split('/')[1], data): 1 for name, data in texts.items()}
        assert labelled(out, *splits) == expected
    assert source_data.description(out)['class_names'] == ['neg', 'pos']
    assert source_data.description(out)['counts']['splits']['validation'] > 0


IMAGE_FEATURES = {
    'label': tfds.features.ClassLabel(names=['dog', 'cat']),
    'image': tfds.features.Image(shape=(None, None, 3)),
    'file': tfds.features.Text(),
}


def pictures(count=24):
    """'CLASS/NAME' -> bytes of PNG and JPEG files, some of another size."""
    files = source_data.picture_files(count)
    sizes = {f'cat/large{i}.jpg': encode_image(pixels(i, 9, 7), 'JPEG') for i in range(3)}
    return files | sizes


def write_pictures(data_dir, **settings):
    rows = [
        {'image': data, 'label': name.partition('/')[0], 'file': name}
        for name, data in pictures().items()
    ]
    splits = {'train': rows, 'test': rows[:6]}
    return tfds_data.write_set(data_dir, IMAGE_FEATURES, splits, **settings)


def test_stored_images_are_decoded_as_those_of_files(tmp_path):
    """Against images:, which reads the same bytes from files."""
    flags = (*IMAGE_FLAGS, '--validation_share=0')
    out = job('weather', write_pictures(tmp_path / 'data'), tmp_path / 'out', *flags)
    folder = source_data.write_folder(tmp_path / 'in', pictures())
    source = f'--source=images:{folder}'
    assert run_job(source, f'--output={tmp_path / "files"}', *flags) == 0
    assert labelled(out, 'train') == labelled(tmp_path / 'files', 'train')
    assert sorted(source_data.by_id(out, 'train')) == ids('train', 27)
    described = source_data.description(out)
    # The data set's own order; images: would sort them.
    assert described['class_names'] == ['dog', 'cat']
    assert described['spec']['channels'] == 3


def test_the_same_bytes_however_the_data_are_prepared(tmp_path):
    forms = {
        'one': {},
        'three': {'files': 3},
        'array': {'files': 2, 'file_format': 'array_record'},
    }
    flags = (*IMAGE_FLAGS, '--shards=2', '--validation_share=0.3')
    contents = []
    for name, settings in forms.items():
        data_dir = write_pictures(tmp_path / name / 'data', **settings)
        assert len(list(data_dir.glob('weather/1.0.0/*-train.*'))) == settings.get('files', 1)
        out = job('weather', data_dir, tmp_path / name / 'out', *flags)
        contents.append(source_data.contents(out))
    assert contents[0] == contents[1] == contents[2]
    assert str(tmp_path).encode() not in b''.join(contents[0].values())


def test_no_file_stays_open_between_two_records(tmp_path):
    """Of a data set in a thousand files a shard takes records from all of them in turn."""
    source = make_tfds('weather', data_dir=str(write_pictures(tmp_path / 'data', files=3)))
    groups = [group for group in source.groups() if group.split == 'train']
    readers = [source.read(group.path, list(source.items(group))) for group in groups]
    assert len(readers) == 3
    assert all(next(reader).content for reader in readers)
    opened = [os.path.realpath(f'/proc/self/fd/{fd}') for fd in os.listdir('/proc/self/fd')]
    assert not [path for path in opened if path.startswith(str(tmp_path / 'data'))]


@pytest.mark.long
def test_the_same_bytes_with_two_processes(tmp_path):
    data_dir = write_pictures(tmp_path / 'data', files=3)
    flags = (*IMAGE_FLAGS, '--shards=2')
    workers = (
        '--runner=DirectRunner',
        '--direct_running_mode=multi_processing',
        '--direct_num_workers=2',
    )
    one = job('weather', data_dir, tmp_path / 'one', *flags)
    two = job('weather', data_dir, tmp_path / 'two', *flags, *workers)
    assert source_data.contents(one) == source_data.contents(two)


TEXT_FEATURES = {
    'text': tfds.features.Text(),
    'label': tfds.features.ClassLabel(num_classes=3),
}


def rows(split, count):
    return [{'text': f'{split} {i}', 'label': i % 3} for i in range(count)]


def test_an_own_validation_split_stays(tmp_path, capsys):
    splits = {'train': rows('train', 40), 'validation': rows('held out', 9)}
    data_dir = tfds_data.write_set(tmp_path / 'data', TEXT_FEATURES, splits)
    out = job('weather', data_dir, tmp_path / 'out', *TEXT_FLAGS, '--validation_share=0.5')
    assert sorted(source_data.by_id(out, 'train')) == ids('train', 40)
    assert sorted(source_data.by_id(out, 'validation')) == ids('validation', 9)
    assert labelled(out, 'validation') == {
        (str(i % 3), f'held out {i}'.encode()): 1 for i in range(9)
    }
    assert 'note: tfds:weather has a validation split of its own; --val' in capsys.readouterr().err
    assert source_data.description(out)['options']['validation_share'] == 0


def test_without_labels_and_with_bad_texts(tmp_path):
    bad = [b'\xff\xfe\0', b'\xe9t\xe9', b'', b' \n']
    texts = [*(f'text {i}'.encode() for i in range(20)), *bad]
    train = [{'text': text, 'label': -1} for text in texts]
    data_dir = tfds_data.write_set(tmp_path / 'data', TEXT_FEATURES, {'train': train})
    flags = (*TEXT_FLAGS, '--validation_share=0', '--max_rejected_share=0.2')
    out = job('weather', data_dir, tmp_path / 'out', *flags)
    assert labelled(out) == {(None, text): 1 for text in texts[:20]}
    lines = rejected(out)
    reasons = collections.Counter(line['reason'] for line in lines)
    assert reasons == {
        'the text is not UTF-16, as its byte order mark says': 1,
        'the text is not UTF-8': 1,
        'the text is empty': 2,
    }
    for line in lines:
        assert line['place'] == f'train: record {int(line["id"].removeprefix("train/"))}'


def test_a_data_set_without_a_label(tmp_path):
    features = {'text': tfds.features.Text(optional=True), 'year': np.int64}
    train = [{'text': f'text {i}', 'year': i} for i in range(20)]
    splits = {'train': [*train, {'text': None, 'year': 20}]}
    data_dir = tfds_data.write_set(tmp_path / 'data', features, splits)
    out = job('weather', data_dir, tmp_path / 'out', *TEXT_FLAGS, '--max_rejected_share=0.1')
    assert labelled(out) == {(None, row['text'].encode()): 1 for row in train}
    assert source_data.description(out)['class_names'] == []
    assert [line['reason'] for line in rejected(out)] == ['the text is missing']


def test_named_columns(tmp_path):
    features = {
        'title': tfds.features.Text(),
        'body': tfds.features.Text(),
        'topic': tfds.features.ClassLabel(names=['sun', 'rain']),
        'mood': tfds.features.ClassLabel(names=['good', 'bad']),
    }
    train = [
        {'title': f'title {i}', 'body': f'body {i}', 'topic': i % 2, 'mood': i // 2 % 2}
        for i in range(20)
    ]
    data_dir = tfds_data.write_set(tmp_path / 'data', features, {'train': train})
    flags = (*TEXT_FLAGS, '--text_column=body', '--label_column=mood')
    out = job('weather', data_dir, tmp_path / 'out', *flags)
    moods = ['good', 'bad']
    assert labelled(out) == {(moods[i // 2 % 2], f'body {i}'.encode()): 1 for i in range(20)}


@pytest.mark.parametrize(
    ('name', 'kind', 'length', 'classes'),
    [('cifar10', 'image', 1024, 10), ('ag_news_subset', 'text', None, 4)],
)
def test_mocked_data_of_built_in_sets(tmp_path, name, kind, length, classes):
    """Of cifar10 the image, though it has a Text; of ag_news_subset the Text of its supervision."""
    data_dir = tfds_data.write_metadata(tmp_path / 'data', name, {'train': 7, 'test': 7})
    with tfds.testing.mock_data(num_examples=7, data_dir=str(data_dir)):
        out = job(name, data_dir, tmp_path / 'out', '--auxiliary_steps=5', '--validation_share=0')
        data = tfds.data_source(name, split='train')
        info = tfds.builder(name).info
    described = source_data.description(out)
    assert described['spec']['kind'] == kind
    assert described['class_names'] == list(info.features['label'].names)
    assert len(described['class_names']) == classes
    for number in range(7):
        example = source_data.by_id(out, 'train')[f'train/{number:06}']
        truth = data[number]
        assert example.label == truth['label']
        content = truth['image' if kind == 'image' else 'description']
        expected = content.tobytes() if kind == 'image' else content.encode()
        assert example.values == expected
        assert length in (None, example.length)


WAY_OUT = (
    '); where it cannot be downloaded, name a folder of prepared data with --data_dir, or one of '
    'the original files with --manual_dir'
)


class Handwritten(tfds.core.GeneratorBasedBuilder):
    """A data set whose file every user has to fetch."""

    VERSION = tfds.core.Version('1.0.0')
    MANUAL_DOWNLOAD_INSTRUCTIONS = 'Ask the author for notes.txt.\nHe will send it.'

    def _info(self):
        features = tfds.features.FeaturesDict({'text': tfds.features.Text()})
        return tfds.core.DatasetInfo(builder=self, features=features)

    def _split_generators(self, dl_manager):
        return {'train': self._generate_examples(dl_manager.manual_dir / 'notes.txt')}

    def _generate_examples(self, path):
        for row, line in enumerate(path.read_text().splitlines()):
            yield row, {'text': line}


def test_files_that_the_user_has_to_fetch(tmp_path, capsys):
    where = ('--source=tfds:handwritten', f'--data_dir={tmp_path / "data"}')
    output = f'--output={tmp_path / "out"}'
    message = refusal(capsys, *where, output, *TEXT_FLAGS)
    assert message.startswith('--source=tfds:handwritten: cannot be downloaded and prepared (')
    assert 'Ask the author for notes.txt. He will send it' in message
    assert message.endswith(WAY_OUT)
    source_data.write_folder(tmp_path / 'fetched', {'notes.txt': b'one\ntwo\nthree\nfour'})
    flags = (*TEXT_FLAGS, f'--manual_dir={tmp_path / "fetched"}', '--validation_share=0')
    out = job('handwritten', tmp_path / 'data', tmp_path / 'out', *flags)
    assert labelled(out) == {(None, line): 1 for line in (b'one', b'two', b'three', b'four')}


def test_original_files_that_the_user_has_fetched(tmp_path, mnist_files, monkeypatch, capsys):
    flags = ('--source=tfds:mnist', f'--data_dir={tmp_path / "data"}')
    flags = (*flags, f'--manual_dir={mnist_files}', f'--output={tmp_path / "out"}')
    message = refusal(capsys, *flags)
    assert '(NonMatchingChecksumError: Artifact https://' in message
    assert message.endswith(WAY_OUT)
    real = tfds.builder_cls('mnist').url_infos
    monkeypatch.setattr(
        mnist.MNIST,
        'url_infos',
        {url: compute_url_info(mnist_files / info.filename) for url, info in real.items()},
    )
    assert run_job(*flags) == 0
    assert len(source_data.by_id(tmp_path / 'out')) == 40


def test_a_failed_download_is_one_line(tmp_path, capsys):
    where = ('--source=tfds:fashion_mnist', f'--data_dir={tmp_path}')
    message = refusal(capsys, *where, f'--output={tmp_path / "out"}')
    assert message.startswith(
        '--source=tfds:fashion_mnist: cannot be downloaded and prepared (ConnectionError: '
    )
    assert message.endswith(f' nor for others{WAY_OUT}')
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('mnsit', 'TFDS knows no such data set, and none is prepared in {}; did you mean mnist, '),
        ('qqqqqqqq', 'TFDS knows no such data set, and none is prepared in {}; tfds.list_build'),
        ('no such', 'no name of TFDS; write NAME, NAME/CONFIG, NAME:VERSION or NAME/CONFIG:VERS'),
        ('imdb_reviews/plain', 'its configs are plain_text'),
        ('cifar10:1.0.0', 'Dataset cifar10 cannot be loaded at version 1.0.0, only: '),
        ('robotics:mt_opt', 'data sets of a namespace (robotics) are not read; name one of'),
    ],
)
def test_unknown_names_are_refused_without_a_network(tmp_path, capsys, name, expected):
    where = (f'--source=tfds:{name}', f'--data_dir={tmp_path / "data"}')
    message = refusal(capsys, *where, f'--output={tmp_path / "out"}')
    assert message.startswith(f'--source=tfds:{name}: ')
    assert expected.format(tmp_path / 'data') in message
    assert not (tmp_path / 'data').exists()


@pytest.mark.parametrize(
    ('flags', 'expected'),
    [
        (
            ('--class_names={}',),
            '--class_names={}: is for csv:, jsonl:, manifest: and npy: sources, and the source is',
        ),
        (('--csv_columns=a',), '--csv_columns=a: is for csv: sources, and the source is tfds'),
        (('--data_dir=gs://bucket/data',), '--data_dir=gs://bucket/data: data are read as local'),
        (('--manual_dir={}/none',), '--manual_dir={}/none: no such folder; put the files there'),
        (('--text_column=text',), '--text_column=text: tfds:mnist has no such Text feature; it '),
        (('--label_column=y',), '--label_column=y: tfds:mnist has no such ClassLabel feature; it '),
    ],
)
def test_flags_that_do_not_fit_are_refused_before_a_download(tmp_path, capsys, flags, expected):
    names = tmp_path / 'names.txt'
    names.write_text('a\n')
    flags = [flag.format(names) for flag in flags]
    where = ('--source=tfds:mnist', f'--data_dir={tmp_path / "data"}')
    message = refusal(capsys, *where, *flags, f'--output={tmp_path / "out"}')
    assert message.startswith(expected.format(names))
    assert not (tmp_path / 'data').exists()


def test_a_data_set_that_has_neither_image_nor_text_is_refused(tmp_path, capsys):
    where = ('--source=tfds:speech_commands', f'--data_dir={tmp_path / "data"}')
    message = refusal(capsys, *where, f'--output={tmp_path / "out"}')
    assert message.startswith('--source=tfds:speech_commands: neither an image of bytes (Image of ')
    assert 'audio (Audio), label (ClassLabel); name another data set' in message


def test_a_data_set_without_a_split_to_train_on_is_refused(tmp_path, capsys):
    splits = {'test': rows('test', 4), 'extra': rows('extra', 4)}
    data_dir = tfds_data.write_set(tmp_path / 'data', TEXT_FEATURES, splits)
    where = ('--source=tfds:weather', f'--data_dir={data_dir}')
    message = refusal(capsys, *where, f'--output={tmp_path / "out"}', *TEXT_FLAGS)
    assert message == (
        '--source=tfds:weather: has no split train, only: extra, test; name another data set'
    )


def test_an_unfinished_folder_is_refused(tmp_path, capsys):
    folder = tmp_path / 'data' / 'mnist' / '3.0.1'
    folder.mkdir(parents=True)
    where = ('--source=tfds:mnist', f'--data_dir={tmp_path / "data"}')
    message = refusal(capsys, *where, f'--output={tmp_path / "out"}')
    assert message.startswith(f'--source=tfds:mnist: no prepared data in {folder}; all workers ')
    assert message.endswith('or remove an unfinished one')


def test_prepared_data_that_a_worker_lacks_are_refused(tmp_path):
    data_dir = tfds_data.write_metadata(tmp_path / 'data', 'mnist', {'train': 4})
    source = make_tfds('mnist', data_dir=str(data_dir))
    group = source.groups()[0]
    away = dataclasses.replace(source, data_dir=str(tmp_path / 'elsewhere'))
    with pytest.raises(LonghaulError, match=r'^--source=tfds:mnist: no prepared data in .*elsewh'):
        list(away.items(group))


def test_travels_to_workers_without_a_builder(tmp_path):
    data_dir = write_pictures(tmp_path / 'data')
    options = JobOptions(
        source='tfds:weather', output='/nowhere', data_dir=str(data_dir), image_size=4,
        auxiliary_steps=5,
    )  # fmt: skip
    plan = make_plan(options)
    packed = pickle.dumps(plan)
    assert len(packed) < 3000
    assert pickle.loads(packed) == plan


def test_gray_images_and_a_side_of_their_own(tmp_path):
    features = {'image': tfds.features.Image(shape=(4, 4, 1)), 'label': IMAGE_FEATURES['label']}
    images = [pixels(i, channels=1)[:, :, np.newaxis] for i in range(20)]
    train = [{'image': image, 'label': i % 2} for i, image in enumerate(images)]
    data_dir = tfds_data.write_set(tmp_path / 'data', features, {'train': train})
    out = job('weather', data_dir, tmp_path / 'out', '--auxiliary_steps=5')
    names = ['dog', 'cat']
    assert labelled(out) == {(names[i % 2], im.tobytes()): 1 for i, im in enumerate(images)}
    assert source_data.description(out)['spec']['image_size'] == 4
