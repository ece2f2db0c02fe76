"""Draws what a model reconstructs of a file that it has read."""

import numpy as np

from pipelines.format.errors import LonghaulError
from tools.items.files import STDIN, read_item
from tools.items.refused import RefusedRequest
from tools.predict.model import ExportedModel

_SCALE = 8
# Curves in a picture: one of thousands of channels could not be drawn.
_MOST_CHANNELS = 16
# Distances that a readout is asked about at once.
_AT_ONCE = 256


def check(model: ExportedModel, path: str, file: str) -> None:
    """Refuses, before any work, what cannot be drawn.

    Raises:
      LonghaulError: naming --recall.
    """
    if not model.recalls:
        raise LonghaulError(
            f'--recall={path}: {model.folder} has no decoder or readout, so it reconstructs '
            'nothing; export an r-LSTM, or leave the flag out'
        )
    if file == STDIN:
        raise LonghaulError(
            f'--recall={path}: standard input is read once; name a file in place of {STDIN}'
        )
    suffix = '.txt' if model.spec.kind == 'text' else '.png'
    if not path.endswith(suffix):
        raise LonghaulError(
            f'--recall={path}: the model reads {model.spec.kind}s; name a file that ends in '
            f'{suffix}'
        )


def write(model: ExportedModel, file: str, path: str) -> None:
    """Writes the truth and what the model makes of it.

    A decoder is given the first of the last L steps, and goes on from there; a readout is given
    nothing, and says all steps.

    Args:
      model: with a decoder or a readout.
      file: that it reads.
      path: of the picture or text.

    Raises:
      LonghaulError: if the file cannot be read, or the picture not be written.
    """
    try:
        truth, guess, begin = _reconstruct(model, read_item(file).data)
    except RefusedRequest as refused:
        raise LonghaulError(f'FILE={file}: {refused}; name another one first') from refused
    try:
        _write(model, truth, guess, begin, path)
    except OSError as error:
        raise LonghaulError(
            f'--recall={path}: cannot be written ({error.strerror}); name another file'
        ) from error


def _reconstruct(model: ExportedModel, item: bytes) -> tuple[np.ndarray, np.ndarray, int]:
    """Truth and reconstruction, [T, C] or [T] each, and the step that both begin with."""
    data = np.array([item, None], object)[:-1]
    decoded = model.call('decode', data=data)
    if not decoded['readable'][0]:
        raise RefusedRequest('the model cannot read it')
    inputs, length = decoded['inputs'], int(decoded['lengths'][0])
    state = {k: v for k, v in model.call('encode', data=data).items() if k != 'readable'}
    asked, truth = model.inputs_of('recall'), inputs[0]
    if 'distances' in asked:
        return truth, _read_out(model, state, length), 0
    wanted = min(model.about['auxiliary_steps'], max(1, length // 2))
    begin = length - wanted
    about = {'first': inputs[:, begin], 'steps': np.int32(max(1, wanted - 1))}
    if 'distance' in asked:
        about['distance'] = np.int32(wanted)
    said = model.call('recall', **about, **state)['values'][0]
    guess = truth.copy()
    guess[begin + 1 :] = said[: wanted - 1]
    return truth, guess, begin


def _read_out(model: ExportedModel, state: dict[str, np.ndarray], length: int) -> np.ndarray:
    """All steps that were read, as a readout says them: [T, C] or [T]."""
    distances = np.arange(length, 0, -1, dtype=np.int32)
    parts = [distances[i : i + _AT_ONCE] for i in range(0, length, _AT_ONCE)]
    return np.concatenate(
        [model.call('recall', distances=part, **state)['values'][0] for part in parts]
    )


def _write(
    model: ExportedModel, truth: np.ndarray, guess: np.ndarray, begin: int, path: str
) -> None:
    kind = model.spec.kind
    if kind == 'text':
        _write_text(model, truth[begin:], guess[begin:], path)
    elif kind == 'image':
        _write_picture(model, truth, guess, begin, path)
    else:
        _write_curves(truth[begin:], guess[begin:], path)


def _write_text(model: ExportedModel, truth: np.ndarray, guess: np.ndarray, path: str) -> None:
    from pipelines.format.texts import text_of

    with open(path, 'w', encoding='utf-8') as file:
        for name, ids in (('truth', truth), ('recalled', guess)):
            file.write(f'{name}:\n{text_of(ids, model.spec)}\n\n')


def _write_picture(
    model: ExportedModel, truth: np.ndarray, guess: np.ndarray, begin: int, path: str
) -> None:
    """Truth left, recalled right; steps that are the same in both are dimmed."""
    import tensorflow as tf

    from pipelines.format.pixels import pictures_of

    both = np.stack([truth, guess])
    both[:, :begin] = both[:, :begin] // 3
    pictures = np.concatenate(pictures_of(both, model.spec), axis=1)
    pictures = pictures.repeat(_SCALE, axis=0).repeat(_SCALE, axis=1)
    with open(path, 'wb') as file:
        file.write(tf.io.encode_png(pictures).numpy())


def _write_curves(truth: np.ndarray, guess: np.ndarray, path: str) -> None:
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    channels = min(_MOST_CHANNELS, truth.shape[1])
    figure, axes = pyplot.subplots(channels, figsize=(9, 2 * channels), squeeze=False)
    for channel, axis in enumerate(axes[:, 0]):
        axis.plot(truth[:, channel].astype(float), label='truth')
        axis.plot(guess[:, channel].astype(float), label='recalled')
        axis.set_ylabel(f'channel {channel}')
    axes[0, 0].legend()
    axes[-1, 0].set_xlabel('step of the stretch')
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
