"""Draws what a model reconstructs of a file that it has read."""

import numpy as np

from pipelines.format.errors import LonghaulError
from tools import drawing
from tools.items.files import STDIN, read_item
from tools.items.refused import RefusedRequest
from tools.predict.model import ExportedModel
from tools.predict.reconstruction import Reconstruction, reconstruct

# Pixels of the picture along one edge of an image's pixel.
_SCALE = 8
# Channels in a picture: thousands of them could not be drawn.
_MOST_CHANNELS = 16


def check(model: ExportedModel, path: str, file: str) -> None:
    """Refuses, before any work, what cannot be drawn.

    Raises:
      LonghaulError: naming --recall.
    """
    if not model.recalls:
        raise LonghaulError(
            f"--recall={path}: {model.folder} has neither r-LSTM's decoder nor its readout, so it "
            'reconstructs nothing; export an r-LSTM, or leave the flag out'
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
    """Writes the truth and what the model makes of it, see `reconstruct`.

    Args:
      model: with a decoder or a readout.
      file: that it reads.
      path: of the picture or text.

    Raises:
      LonghaulError: if the file cannot be read, or the picture not be written.
    """
    try:
        found = reconstruct(model, read_item(file).data)
    except RefusedRequest as refused:
        raise LonghaulError(f'FILE={file}: {refused}; name another one first') from refused
    try:
        _write(model, found, path)
    except OSError as error:
        raise LonghaulError(
            f'--recall={path}: cannot be written ({error.strerror}); name another file'
        ) from error


def _write(model: ExportedModel, found: Reconstruction, path: str) -> None:
    truth, guess, begin = found
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
    """Draws the truth left, the guess right; steps before `begin`, the same in both, are dimmed."""
    import tensorflow as tf

    from pipelines.format.pixels import pictures_of

    both = np.stack([truth, guess])
    both[:, :begin] = both[:, :begin] // 3
    pictures = np.concatenate(pictures_of(both, model.spec), axis=1)
    pictures = pictures.repeat(_SCALE, axis=0).repeat(_SCALE, axis=1)
    with open(path, 'wb') as file:
        file.write(tf.io.encode_png(pictures).numpy())


def _write_curves(truth: np.ndarray, guess: np.ndarray, path: str) -> None:
    channels = min(_MOST_CHANNELS, truth.shape[1])
    with drawing.panels(path, rows=channels, size=(9, 2 * channels), dpi=100) as axes:
        for channel, axis in enumerate(axes[:, 0]):
            axis.plot(truth[:, channel].astype(float), label='truth')
            axis.plot(guess[:, channel].astype(float), label='recalled')
            axis.set_ylabel(f'channel {channel}')
        axes[0, 0].legend()
        axes[-1, 0].set_xlabel('step of the stretch')
