"""What a model says of an item, as a table for people or JSON lines for machines."""

import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.status_line import StatusLine
from tools.items.files import Item
from tools.items.refused import RefusedRequest

Ask = Callable[[list[bytes]], Mapping[str, np.ndarray]]
# Control characters, which a table must not send to a terminal.
_UNSHOWN = dict.fromkeys((*range(32), *range(127, 160)), '�')


@dataclasses.dataclass(frozen=True)
class Answer:
    """One item's classes, the most probable first; empty with an `error` when it has none."""

    file: str
    top: tuple[tuple[str, float], ...] = ()
    error: str = ''

    def as_json(self) -> str:
        """The answer as one line of JSON."""
        values: dict[str, Any] = {'file': self.file, 'class_name': None, 'probability': 0.0}
        if self.top:
            name, probability = self.top[0]
            values |= {'class_name': name, 'probability': round(probability, 6)}
        if len(self.top) > 1:
            values['top'] = [[name, round(probability, 6)] for name, probability in self.top]
        if self.error:
            values['error'] = self.error
        # A file's name may be no UTF-8; JSON has the same escapes for that as Python.
        text = json.dumps(values, ensure_ascii=False)
        return text.encode('utf-8', 'backslashreplace').decode()

    def as_text(self, width: int) -> str:
        """The answer as a row of the table, the name of the file padded to `width`."""
        file = f'{_shown(self.file):<{width}}'
        if not self.top:
            return f'{file}  unreadable: {self.error}'
        classes = (f'{_shown(name)} {probability:.1%}' for name, probability in self.top)
        return f'{file}  {"  ".join(classes)}'


def _shown(text: str) -> str:
    return text.encode('utf-8', 'replace').decode().translate(_UNSHOWN)


def answers_of(
    names: Sequence[str], outputs: Mapping[str, np.ndarray], *, top: int
) -> Iterator[Answer]:
    """Gives the answers to a batch.

    Args:
      names: of its files.
      outputs: of the signature serving_default, or classify.
      top: how many classes are wanted; the model gives no more than it has.
    """
    classes, probabilities = outputs['top_class_names'], outputs['top_probabilities']
    for name, readable, said, sure in zip(
        names, outputs['readable'], classes, probabilities, strict=True
    ):
        if not readable:
            yield Answer(name, error='the model cannot read it')
            continue
        texts = (s.decode('utf-8', 'replace') if isinstance(s, bytes) else str(s) for s in said)
        yield Answer(name, tuple(zip(texts, map(float, sure), strict=True))[:top])


def ask_of(ask: Ask, batch: Sequence[Item], *, top: int) -> Iterator[Answer]:
    """Gives the answers to a batch; where the batch is refused, asks for its items one by one.

    Args:
      ask: a function from raw items to the outputs of serving_default; raises RefusedRequest.
      batch: of items. One that could not be read goes along as nothing: batches keep their shape.
      top: see `answers_of`.
    """
    try:
        outputs = ask([item.data for item in batch])
    except RefusedRequest as refused:
        if len(batch) > 1:
            for item in batch:
                yield from ask_of(ask, [item], top=top)
            return
        yield Answer(batch[0].name, error=batch[0].error or str(refused))
        return
    answers = answers_of([item.name for item in batch], outputs, top=top)
    for item, answer in zip(batch, answers, strict=True):
        yield Answer(item.name, error=item.error) if item.error else answer


def show(answers: Iterable[Answer], *, count: int, as_json: bool, width: int = 0) -> int:
    """Prints answers as they come; a line about progress on the terminal's stderr.

    Args:
      answers: to print.
      count: how many there will be.
      as_json: JSON lines instead of a table.
      width: of the names in a table.

    Returns:
      How many items could not be read.
    """
    unreadable, status, started = 0, StatusLine(sys.stderr), time.monotonic()
    # A table on the same terminal shows by itself how far it is.
    progress = not sys.stdout.isatty() and count > 1
    for done, answer in enumerate(answers, 1):
        unreadable += not answer.top
        status.clear()
        print(answer.as_json() if as_json else answer.as_text(width), flush=sys.stdout.isatty())
        if progress:
            rate = done / max(time.monotonic() - started, 1e-9)
            status.show(f'{done:,} of {count:,} files, {rate:,.1f} a second')
    status.clear()
    return unreadable
