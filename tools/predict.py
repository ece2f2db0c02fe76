"""Classifies files with an exported SavedModel: python -m tools.predict EXPORT FILE_OR_FOLDER...

Imports TensorFlow and nothing else of the product: whatever answers here, answers in a server.
"""

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterator

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')


def _files(paths: list[str]) -> Iterator[str]:
    """The files named, and those below the folders named, in a fixed order."""
    for path in paths:
        if not os.path.isdir(path):
            yield path
        for folder, folders, names in os.walk(path):
            folders.sort()
            yield from (os.path.join(folder, name) for name in sorted(names))


def _read(path: str) -> bytes:
    try:
        with open(path, 'rb') as file:
            return file.read()
    except OSError as error:
        sys.exit(f'error: {path}: cannot be read ({error.strerror})')


def predict(export: str, paths: list[str], *, batch_size: int) -> Iterator[dict]:
    """Sends the files' raw bytes to the model, batch by batch.

    Args:
      export: folder of the SavedModel.
      paths: files or folders.
      batch_size: files per call.

    Yields:
      For each file 'file', 'class_name' (None if it could not be read) and 'probability'.
    """
    import tensorflow as tf

    if not os.path.exists(os.path.join(export, 'saved_model.pb')):
        sys.exit(f'error: {export}: holds no SavedModel; name a folder such as RUN/export/1600')
    serve = tf.saved_model.load(export).signatures['serving_default']
    files = list(_files(paths))
    if not files:
        sys.exit(f'error: no file found in {", ".join(paths)}')
    for begin in range(0, len(files), batch_size):
        batch = files[begin : begin + batch_size]
        answers = serve(data=tf.constant([_read(path) for path in batch]))
        columns = (answers[k].numpy() for k in ('class_name', 'probabilities', 'readable'))
        for path, name, probabilities, readable in zip(batch, *columns, strict=True):
            yield {
                'file': path,
                'class_name': name.decode() if readable else None,
                'probability': round(float(probabilities.max()), 6),
            }


def main() -> None:
    """Prints one line per file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('export', help='folder of the SavedModel, such as RUN/export/1600')
    parser.add_argument('paths', nargs='+', help='image or text files, or folders of them')
    parser.add_argument('--json', action='store_true', help='print JSON lines')
    parser.add_argument('--batch_size', type=int, default=64, help='files per call (default 64)')
    flags = parser.parse_args()
    # Whoever reads may stop early: python -m tools.predict ... | head
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    if flags.batch_size < 1:
        sys.exit(f'error: --batch_size={flags.batch_size}: at least 1 is needed')
    for row in predict(flags.export, flags.paths, batch_size=flags.batch_size):
        if flags.json:
            print(json.dumps(row, ensure_ascii=False))
        elif row['class_name'] is None:
            print(f'{row["file"]}  unreadable')
        else:
            print(f'{row["file"]}  {row["class_name"]}  {row["probability"]:.1%}')


if __name__ == '__main__':
    main()
