"""Pictures show the right stretch, in the order of the raster."""

import numpy as np

from pipelines.format.spec import SequenceSpec, character_spec, text_spec
from trainer.monitoring.pictures import draw_images, draw_texts


def test_truth_left_reconstruction_right_the_rest_dimmed():
    permutation = (3, 1, 0, 2)  # Step t shows this pixel.
    spec = SequenceSpec('image', image_size=2, permutation_seed=0, permutation=permutation)
    steps = np.array([[[255], [51], [102], [204]]], np.uint8)
    outputs = np.array([[[0.5]], [[1.5]]])  # Of steps 1 and 2; values are clipped to 0..1.
    picture = draw_images(spec, steps, np.array([0]), outputs)[0, :, :, 0]
    truth = [[0.4, 0.2], [0.3 * 0.8, 0.3]]
    said = [[1.0, 0.5], [0.3 * 0.8, 0.3]]
    np.testing.assert_allclose(picture, np.concatenate([truth, said], axis=1))


def test_a_stretch_in_trailing_steps_is_not_shown():
    """What lies among the pixels is; the picture is of its own size."""
    spec = SequenceSpec('image', image_size=2, trailing_steps=3)
    steps = np.array([[[255], [51], [102], [204], [0], [0], [0]]], np.uint8)
    across = draw_images(spec, steps, np.array([2]), np.full([3, 1, 1], 0.5))[0, :, :, 0]
    truth, said = 0.3 * np.array([[1, 0.2], [0.4, 0]]), 0.3 * np.array([[1, 0.2], [0.4, 0]])
    truth[1, 1], said[1, 1] = 0.8, 0.5
    np.testing.assert_allclose(across, np.concatenate([truth, said], axis=1))
    behind = draw_images(spec, steps, np.array([4]), np.full([2, 1, 1], 0.5))[0, :, :, 0]
    dimmed = 0.3 * np.array([[1, 0.2], [0.4, 0.8]])
    np.testing.assert_allclose(behind, np.concatenate([dimmed, dimmed], axis=1))


def test_texts_are_shown_as_code():
    row = np.frombuffer('..häuser'.encode(), np.uint8)[np.newaxis]
    said = np.frombuffer('häxser'.encode(), np.uint8)[:, np.newaxis]
    # The stretch begins after the column of x_s.
    assert draw_texts(text_spec(), row, np.array([1]), said) == ["    'häuser'\n\n    'häxser'"]


def test_characters_are_shown_through_the_vocabulary():
    spec = character_spec().with_vocabulary('ä漢x')
    row = np.array([[0, 0, 1, 2, 0]], np.uint16)
    texts = draw_texts(spec, row, np.array([1]), np.array([[3], [0], [2]]))
    assert texts == ["    'ä漢\ufffd'\n\n    'x\ufffd漢'"]
