"""Event files are read by step, and the demonstration's pictures come from what a run logged."""

import numpy as np
import pytest
import tensorflow as tf

from tools.demo import draw
from tools.event_files import read_values


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / 'run'
    with tf.summary.create_file_writer(str(folder / 'validation')).as_default():
        for step, accuracy in ((10, 0.25), (20, 0.5)):
            tf.summary.scalar('accuracy', accuracy, step=step)
            tf.summary.scalar('loss', 1.0, step=step)
        pictures = np.zeros([2, 4, 8, 1])
        pictures[1] = 1.0
        tf.summary.image('reconstruction', pictures, step=20)
    return folder


def test_reads_the_values_by_step(run):
    values = read_values(run / 'validation', wanted=lambda tag: tag != 'loss')
    assert {k: float(v) for k, v in values['accuracy'].items()} == {10: 0.25, 20: 0.5}
    assert set(values) == {'accuracy', 'reconstruction'}


def test_draws_the_reconstructions_beside_each_other(run, tmp_path):
    output = tmp_path / 'reconstructions.png'
    draw.reconstructions(run, output)
    drawn = tf.io.decode_png(output.read_bytes()).numpy()[..., :3].mean(axis=-1)
    half = drawn.shape[1] // 2
    # The second picture is white, the first black but for its frame.
    assert np.mean(drawn[:, :half] < 50) > 0.5
    assert np.mean(drawn[:, half:] > 200) > 0.9
