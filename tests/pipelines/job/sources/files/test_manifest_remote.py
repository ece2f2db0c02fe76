"""manifest: on gs://, by way of an emulator of Google Cloud Storage."""

import cloud
import pytest
import source_data
from source_data import IMAGE_FLAGS, encode_image, picture_files, pixels, refusal, run_job

pytestmark = [pytest.mark.long, pytest.mark.skipif(bool(cloud.WHY_NOT), reason=cloud.WHY_NOT)]

BUCKET = f'gs://{cloud.BUCKET}'


@pytest.fixture(scope='module')
def upload():
    """Writes gs://BUCKET/PREFIX + NAME."""
    with cloud.bucket() as address:

        def write(files, prefix=''):
            for name, data in files.items():
                cloud.put(address, prefix + name, data)

        yield write


def table(files, other):
    rows = [(name, name[:3]) for name in files]
    rows += [('cat/none.png', 'cat'), ('../up/x.png', 'cat'), (f'{other}/x.png', 'dog')]
    return source_data.csv_bytes([('path', 'label'), *rows])


def job(source, output, *flags):
    base = (f'--source=manifest:{source}', f'--output={output}')
    assert run_job(*base, *IMAGE_FLAGS, '--max_rejected_share=.1', *flags) == 0
    return output


@pytest.mark.parametrize('workers', [1, 2])
def test_the_same_records_as_from_local_files(tmp_path, upload, workers):
    files = picture_files(40)
    up, other = (
        {f'{name}/x.png': encode_image(pixels(n))} for name, n in (('up', 99), ('other', 98))
    )
    source_data.write_folder(tmp_path, up | other)
    root = source_data.write_folder(tmp_path / 'in', files)
    (root / 'list.csv').write_bytes(table(files, tmp_path / 'other'))
    local = job(root / 'list.csv', tmp_path / 'local')
    upload(up | other)
    upload(files, 'in/')
    upload({'list.csv': table(files, f'{BUCKET}/other')}, 'in/')
    flags = (
        ('--direct_running_mode=multi_processing', f'--direct_num_workers={workers}')
        if workers > 1
        else ()
    )
    remote = job(f'{BUCKET}/in/list.csv', tmp_path / 'remote', *flags)
    assert source_data.contents(remote) == source_data.contents(local)
    assert len(source_data.by_id(remote)) == 42
    (line,) = source_data.rejected(remote)
    assert (line['place'], line['reason']) == ('row 40: cat/none.png', 'no such file')


def test_a_folder_of_tables_and_a_local_table_of_remote_images(tmp_path, upload):
    files = list(picture_files(12))
    upload(picture_files(12), 'folder/')
    for split, part in (('train', files[:8]), ('test', files[8:])):
        upload({f'{split}.csv': source_data.csv_bytes([['path'], *([f] for f in part)])}, 'folder/')
    out = job(f'{BUCKET}/folder', tmp_path / 'out', '--validation_share=0')
    assert sorted(source_data.by_id(out, 'test')) == sorted(f'test/{f}' for f in files[8:])
    rows = [['path'], *([f'{BUCKET}/folder/{f}'] for f in files)]
    table = source_data.write_csv(tmp_path / 'list.csv', rows)
    found = source_data.by_id(job(table, tmp_path / 'mixed', '--validation_share=0'))
    assert {k: e.values for k, e in found.items()} == {
        f'train/{i:06}': pixels(i).tobytes() for i in range(12)
    }


@pytest.mark.parametrize(
    ('name', 'expected'),
    [('none.csv', 'no such file; name a table'), ('none', 'neither a table NAME.csv or NAME')],
)
def test_a_missing_table_is_refused_in_one_line(tmp_path, capsys, upload, name, expected):
    source = f'--source=manifest:{BUCKET}/{name}'
    flags = (f'--output={tmp_path / "out"}', *IMAGE_FLAGS)
    assert refusal(capsys, source, *flags).startswith(f'{source}: {expected}')
