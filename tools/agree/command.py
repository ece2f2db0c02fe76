"""What `python -m tools.agree` does: asks the model in every way, compares, prints."""

import json
import os
import time

import numpy as np

from pipelines.format.errors import LonghaulError, first_line
from tools.agree.examples import Example, read_examples
from tools.agree.ways import Way, all_ways
from tools.flags import at_least
from tools.items.refused import RefusedRequest
from tools.predict.model import ExportedModel
from tools.query.command import check_server

# The largest difference of a probability that two ways may have.
_TOLERANCE = 1e-5


def run(
    folder: str,
    *,
    records: str,
    split: str,
    batch_size: int,
    seed: int,
    grpc: str | None,
    rest: str | None,
    model: str,
) -> bool:
    """Compares the answers of all ways with the trainer's evaluation.

    Args:
      folder: of the run.
      records: folder of the records that the run was evaluated on.
      split: name of the split that was evaluated.
      batch_size: examples per call.
      seed: of the lengths of chunks.
      grpc: HOST:PORT of a server; None: not asked.
      rest: HOST:PORT of its REST API; None: not asked.
      model: name on the server.

    Returns:
      Whether all answers agree.

    Raises:
      LonghaulError: if the evaluation, the export or the records are missing.
    """
    at_least(1, batch_size=batch_size)
    for flag, server in (('--grpc', grpc), ('--rest', rest)):
        if server is not None:
            check_server(server, flag=flag)
    export = ExportedModel(os.path.join(folder, 'export'))
    _check_version(folder, export, split)
    examples = read_examples(folder, records, split, spec=export.spec)
    # Sequences of like length together, so that padding costs little.
    examples.sort(key=lambda example: len(example.values))
    print(f'{export.folder}: {len(examples):,} examples of {split}, against the trainer:')
    names, agreed = export.about['class_names'], True
    with all_ways(export, seed=seed, grpc=grpc, rest=rest, name=model) as ways:
        for name, way in ways.items():
            agreed &= _compare(name, way, examples, names, batch_size=batch_size)
    return agreed


def _check_version(folder: str, export: ExportedModel, split: str) -> None:
    path = os.path.join(folder, f'evaluation-{split}.json')
    try:
        with open(path, encoding='utf-8') as file:
            evaluated = json.load(file)['global_step']
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LonghaulError(
            f'RUN={folder}: {path} cannot be read ({first_line(error)}); evaluate the run first: '
            f'python -m trainer.main --mode=eval --split={split} --model_dir={folder}'
        ) from error
    if evaluated != export.about['global_step']:
        raise LonghaulError(
            f'RUN={folder}: step {evaluated} was evaluated, {export.folder} holds step '
            f'{export.about["global_step"]}; evaluate and export again'
        )


def _compare(
    name: str, way: Way, examples: list[Example], class_names: list[str], *, batch_size: int
) -> bool:
    """Asks for all examples in one way, prints a line, returns whether all answers agree."""
    started, same, differences = time.monotonic(), 0, []
    for begin in range(0, len(examples), batch_size):
        batch = examples[begin : begin + batch_size]
        try:
            answers = way(batch)
        except RefusedRequest as refused:
            print(f'  {name:<14} REFUSES {len(batch):,} examples ({refused}); try a smaller batch')
            return False
        if answers.shape != (len(batch), len(class_names)):
            print(f'  {name:<14} DIFFERS: {answers.shape} probabilities of {len(class_names)}')
            return False
        for example, found in zip(batch, answers, strict=True):
            best = int(np.argmax(found))
            same += class_names[best] == example.predicted
            differences.append(abs(float(found[best]) - example.probability))
    # The maximum is NaN where one of the differences is, and then nothing agrees.
    worst, seconds = float(np.max(differences)), time.monotonic() - started
    agrees = same == len(examples) and worst <= _TOLERANCE
    print(
        f'  {name:<14} {"agrees" if agrees else "DIFFERS"}: the same class {same:,} of '
        f'{len(examples):,}; largest difference of its probability {worst:.1e}; {seconds:,.0f} s',
        flush=True,
    )
    return agrees
