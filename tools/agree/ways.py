"""The ways to ask an exported model: each gives the probabilities of a batch."""

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from pipelines.format.errors import LonghaulError, first_line
from tools.agree.examples import Example
from tools.items.refused import RefusedRequest
from tools.predict.model import ExportedModel
from tools.query import grpc_client, rest_client

Way = Callable[[list[Example]], np.ndarray]
_OUTPUTS = ('probabilities', 'readable')
# Steps of the longest chunk; the shortest one has none.
_LONGEST_CHUNK = 500


@contextlib.contextmanager
def all_ways(
    model: ExportedModel, *, seed: int, grpc: str | None, rest: str | None, name: str
) -> Iterator[dict[str, Way]]:
    """Gives the ways in which this export can be asked, by name.

    Args:
      model: the export.
      seed: of the lengths of chunks.
      grpc: HOST:PORT of a server; None: there is none.
      rest: HOST:PORT of its REST API; None: there is none.
      name: of the model there.

    Raises:
      LonghaulError: if a server, the TFLite or the ONNX model cannot be asked.
    """
    ways: dict[str, Way] = {}
    if model.spec.trailing == 'noise':
        _refuse_servers(grpc=grpc, rest=rest)
        print('  raw items are not asked: they have no id, and so not the noise of their examples')
    else:
        ways['raw items'] = lambda batch: model.serve(_raw(batch))['probabilities']
    ways['decoded steps'] = lambda batch: model.call('tokens', **padded(batch))['probabilities']
    if model.streams:
        ways['random chunks'] = lambda batch: _stream(model, batch, seed)
    lite = os.path.join(model.folder, 'model.tflite')
    if os.path.exists(lite):
        ways['TFLite'] = _lite(lite)
    other = os.path.join(model.folder, 'model.onnx')
    if os.path.exists(other):
        ways['ONNX'] = _onnx(other)
    with contextlib.ExitStack() as stack:
        for kind, client, server in (('gRPC', grpc_client, grpc), ('REST', rest_client, rest)):
            if server is not None:
                ask = client.connect(server, name, None, outputs=_OUTPUTS, timeout=600)
                ways[kind] = _asking(stack.enter_context(ask), f'--{kind.lower()}=')
        yield ways


def _refuse_servers(**servers: str | None) -> None:
    for flag, server in servers.items():
        if server is not None:
            raise LonghaulError(
                f'--{flag}={server}: a server is asked with raw items, which have no id, and so '
                'not the noise that the records hold behind each example; leave it out'
            )


def _raw(batch: list[Example]) -> list[bytes]:
    return [example.raw for example in batch]


def _asking(ask: Callable[[list[bytes]], dict[str, np.ndarray]], flag: str) -> Way:
    def way(batch: list[Example]) -> np.ndarray:
        """Asks the server; a refusal names the flag of this tool, not that of tools.query."""
        try:
            return ask(_raw(batch)).get('probabilities', np.zeros([0]))
        except RefusedRequest:
            raise
        except LonghaulError as error:
            raise LonghaulError(str(error).replace('--server=', flag, 1)) from error

    return way


def padded(batch: list[Example]) -> dict[str, np.ndarray]:
    """Makes a batch as the signature `tokens` takes it: each row's steps first, zeros behind."""
    lengths = np.array([len(example.values) for example in batch], np.int32)
    values = batch[0].values
    inputs = np.zeros([len(batch), lengths.max(), *values.shape[1:]], values.dtype)
    for row, example in zip(inputs, batch, strict=True):
        row[: len(example.values)] = example.values
    return {'inputs': inputs, 'lengths': lengths}


def _stream(model: ExportedModel, batch: list[Example], seed: int) -> np.ndarray:
    """Asks in chunks of random length, the same for all rows; shorter rows end within a chunk."""
    random = np.random.default_rng(seed)
    whole, state = padded(batch), model.call('start', batch_size=np.int32(len(batch)))
    begin, total = 0, whole['inputs'].shape[1]
    while begin < total:
        steps = min(int(random.integers(0, _LONGEST_CHUNK + 1)), total - begin)
        lengths = np.clip(whole['lengths'] - begin, 0, steps).astype(np.int32)
        chunk = whole['inputs'][:, begin : begin + steps]
        state = model.call('advance', inputs=chunk, lengths=lengths, **state)
        begin += steps
    return model.call('classify', **state)['probabilities']


def _lite(path: str) -> Way:
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # The interpreter warns of its successor.
        try:
            runner = tf.lite.Interpreter(path).get_signature_runner()
        except (ValueError, RuntimeError) as error:
            raise LonghaulError(
                f'{path}: cannot be loaded ({first_line(error)}); export the run again'
            ) from error
    dtype = runner.get_input_details()['inputs']['dtype']

    def ask(batch: list[Example]) -> np.ndarray:
        """Asks for the examples one by one."""
        items = [example.values[np.newaxis].astype(dtype) for example in batch]
        try:
            return np.concatenate([runner(inputs=item)['probabilities'] for item in items])
        except (ValueError, RuntimeError) as error:
            raise RefusedRequest(str(error)) from error

    return ask


def _onnx(path: str) -> Way:
    try:
        import onnxruntime
    except ImportError as error:
        raise LonghaulError(
            f"{path}: cannot be asked without onnxruntime; pip install '.[onnx]', or remove the "
            'file'
        ) from error
    try:
        session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    # Errors of its own, of a dozen types without a common one.
    except Exception as error:
        raise LonghaulError(
            f'{path}: cannot be loaded ({first_line(error)}); export the run again'
        ) from error

    def ask(batch: list[Example]) -> np.ndarray:
        """Asks for all examples at once."""
        try:
            found: np.ndarray = session.run(['probabilities'], padded(batch))[0]
        except Exception as error:
            raise RefusedRequest(first_line(error)) from error
        return found

    return ask
