"""Pictures come from what a run logged."""

import numpy as np
import pytest
import tensorflow as tf

from tools.curves import __main__ as command
from tools.curves import draw, logs


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / 'run'
    with tf.summary.create_file_writer(str(folder / 'validation')).as_default():
        for step, accuracy in ((10, 0.25), (20, 0.5)):
            for name, value in (
                ('', accuracy),
                ('_low', accuracy - 0.1),
                ('_high', accuracy + 0.1),
            ):
                tf.summary.scalar(f'accuracy{name}', value, step=step)
        pictures = np.zeros([2, 4, 8, 1])
        pictures[1] = 1.0
        tf.summary.image('reconstruction', pictures, step=20)
    return folder


def test_reads_the_values_by_step(run):
    values = logs.read_values(run / 'validation')
    assert {k: float(v) for k, v in values['accuracy'].items()} == {10: 0.25, 20: 0.5}


def test_draws_and_refuses(run, capsys, tmp_path):
    output = tmp_path / 'curves.png'
    assert command.main([str(run), f'--output={output}']) == 0
    assert capsys.readouterr().out == f'{output}\n'
    picture = tf.io.decode_png(output.read_bytes()).numpy()
    assert picture.shape[:2] == (432, 768)
    assert len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0)) > 10
    draw.reconstructions(run, output)
    drawn = tf.io.decode_png(output.read_bytes()).numpy()[..., :3].mean(axis=-1)
    half = drawn.shape[1] // 2
    # The second picture is white, the first black but for its frame.
    assert np.mean(drawn[:, :half] < 50) > 0.5
    assert np.mean(drawn[:, half:] > 200) > 0.9
    for flags, words in (([], 'no validation log'), (['--memory'], 'no evaluation with a memory')):
        assert (
            command.main([str(tmp_path / 'none'), f'--output={tmp_path / "no.png"}', *flags]) == 1
        )
        assert f'none: holds {words}' in capsys.readouterr().err
    assert not (tmp_path / 'no.png').exists()
