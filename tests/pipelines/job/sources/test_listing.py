"""A folder that may not be listed is refused in one line."""

import os

import pytest
import source_data
from source_data import documents, encode_image, pixels, refusal, write_csv, write_idx

SOURCES = ('csv', 'jsonl', 'npy', 'idx', 'images', 'texts', 'manifest')


@pytest.mark.parametrize('source', SOURCES)
def test_a_folder_that_may_not_be_listed(tmp_path, capsys, monkeypatch, source):
    folder = write_idx(tmp_path / 'in')
    write_csv(folder / 'train.csv', documents(4))
    source_data.write_folder(folder, {'a/1.png': encode_image(pixels(0))})
    flags = ('--image_size=4',) if source in ('images', 'manifest') else ()

    def denied(original):
        def listing(path='.', *more):
            if os.path.abspath(path) == str(folder):
                raise PermissionError(13, 'Permission denied', path)
            return original(path, *more)

        return listing

    # os.walk lists by scandir.
    monkeypatch.setattr(os, 'listdir', denied(os.listdir))
    monkeypatch.setattr(os, 'scandir', denied(os.scandir))
    message = refusal(capsys, f'--source={source}:{folder}', f'--output={tmp_path / "out"}', *flags)
    assert message.startswith('--source')
    assert 'Permission denied' in message
    assert str(folder) in message
