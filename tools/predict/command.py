"""What `python -m tools.predict` does: chooses how each file is read, prints the answers."""

import os
from collections.abc import Iterator

from tools.flags import at_least
from tools.items.answers import Answer, ask_of, show
from tools.items.files import STDIN, batches, find_files
from tools.predict import recall as recalling
from tools.predict import streams
from tools.predict.model import ExportedModel

# Bytes of the largest file that is held as a whole where the model can stream.
_LARGE_BYTES = 64 << 20


def run(
    export: str,
    paths: list[str],
    *,
    as_json: bool = False,
    top: int = 1,
    batch_size: int = 64,
    stream: bool = False,
    recall: str | None = None,
) -> int:
    """Classifies files and prints the answers.

    Args:
      export: folder of the SavedModel.
      paths: files, or folders of them; '-' is standard input.
      as_json: JSON lines instead of a table.
      top: classes per file.
      batch_size: files per call.
      stream: whether all files are read chunk by chunk; else those that are large.
      recall: file for what the model reconstructs of the first file; None: not wanted.

    Returns:
      How many files could not be read.

    Raises:
      LonghaulError: for whatever the user can put right.
    """
    at_least(1, batch_size=batch_size, top=top)
    files = find_files(paths)
    model = ExportedModel(export)
    if stream:
        model.need_streaming('--stream')
    if recall is not None:
        recalling.check(model, recall, files[0])
    answers = _answers(model, files, top=top, batch_size=batch_size, stream=stream)
    width = max(map(len, files[:1000]))
    unreadable = show(answers, count=len(files), as_json=as_json, width=min(width, 60))
    if recall is not None:
        recalling.write(model, files[0], recall)
    return unreadable


def _answers(
    model: ExportedModel, files: list[str], *, top: int, batch_size: int, stream: bool
) -> Iterator[Answer]:
    """Gives the answers in the order of the files, whether whole or streamed."""
    whole: list[str] = []
    for file in files:
        if not (stream or _too_large(model, file)):
            whole.append(file)
            continue
        yield from _whole(model, whole, top=top, batch_size=batch_size)
        whole = []
        yield streams.classify(model, file, top=top)
    yield from _whole(model, whole, top=top, batch_size=batch_size)


def _too_large(model: ExportedModel, file: str) -> bool:
    if not model.streams or model.spec.kind == 'image' or file == STDIN:
        return False
    return os.path.isfile(file) and os.path.getsize(file) > _LARGE_BYTES


def _whole(
    model: ExportedModel, files: list[str], *, top: int, batch_size: int
) -> Iterator[Answer]:
    for batch in batches(files, batch_size=batch_size):
        yield from ask_of(model.serve, batch, top=top)
