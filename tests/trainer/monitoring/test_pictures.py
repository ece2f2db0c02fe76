"""Pictures show the right stretch, in the order of the raster, and how it was decoded."""

import numpy as np
import tensorflow as tf
from small_models import small

from pipelines.format.spec import SequenceSpec, character_spec, text_spec
from trainer.models.architectures import make_objective
from trainer.monitoring.figures import draw_side_by_side
from trainer.monitoring.pictures import decode, draw_images, draw_texts


def test_a_decoder_is_shown_as_its_captions_say(digit_records):
    """The error of what is shown is the loss of that row with all inputs true, or none."""
    config, model, batch = small(digit_records, 'ObjectiveConfig.teacher_forcing_rate=0.0')
    objective, steps = make_objective(config, 20), config.objective.auxiliary_steps - 1
    said = decode(objective, model, batch, steps=steps)
    starts, inputs = batch.r_starts[:, 0].numpy(), batch.inputs.numpy() / 255
    truth = np.stack([row[s + 1 : s + 1 + steps] for row, s in zip(inputs, starts, strict=True)])
    assert not tf.reduce_any(batch.fed)
    for caption, fed in (('fed the truth', ~batch.fed), ('on its own', batch.fed)):
        errors = (said.pop(caption).numpy().swapaxes(0, 1) - truth) ** 2
        losses = objective.losses(model, batch._replace(fed=fed))
        want = losses.reconstruction.numpy()
        np.testing.assert_allclose(errors.mean(axis=(1, 2)), want, rtol=1e-4)
    assert not said


def test_each_picture_stands_below_its_caption():
    panels = {'truth': np.ones([2, 4, 4, 1]), 'on its own': np.zeros([2, 4, 4, 1])}
    first, second = draw_side_by_side(panels)[..., :3].mean(axis=-1)
    half = first.shape[1] // 2
    np.testing.assert_array_equal(first, second)
    caption, below = first[: first.shape[0] // 8], first[first.shape[0] // 4 : -10]
    assert caption.min() < 100
    assert below[:, :half].mean() > 250
    assert below[:, half:].mean() < 100


def test_the_truth_and_each_reconstruction_the_rest_dimmed():
    permutation = (3, 1, 0, 2)  # Step t shows this pixel.
    spec = SequenceSpec('image', image_size=2, permutation_seed=0, permutation=permutation)
    steps = np.array([[[255], [51], [102], [204]]], np.uint8)
    outputs = np.array([[[0.5]], [[1.5]]])  # Of steps 1 and 2; values are clipped to 0..1.
    drawn = draw_images(spec, steps, np.array([0]), {'fed': outputs / 2, 'own': outputs})
    assert list(drawn) == ['truth', 'fed', 'own']
    wanted = [[[0.4, 0.2], [0.24, 0.3]], [[0.75, 0.25], [0.24, 0.3]], [[1.0, 0.5], [0.24, 0.3]]]
    for picture, want in zip(drawn.values(), wanted, strict=True):
        np.testing.assert_allclose(picture[0, :, :, 0], want)


def test_a_stretch_in_trailing_steps_is_not_shown():
    """What lies among the pixels is; the picture is of its own size."""
    spec = SequenceSpec('image', image_size=2, trailing_steps=3)
    steps = np.array([[[255], [51], [102], [204], [0], [0], [0]]], np.uint8)

    def drawn(start, outputs):
        pictures = draw_images(spec, steps, np.array([start]), {'own': outputs}).values()
        return np.concatenate([picture[0, :, :, 0] for picture in pictures], axis=1)

    across = drawn(2, np.full([3, 1, 1], 0.5))
    truth, said = 0.3 * np.array([[1, 0.2], [0.4, 0]]), 0.3 * np.array([[1, 0.2], [0.4, 0]])
    truth[1, 1], said[1, 1] = 0.8, 0.5
    np.testing.assert_allclose(across, np.concatenate([truth, said], axis=1))
    behind = drawn(4, np.full([2, 1, 1], 0.5))
    dimmed = 0.3 * np.array([[1, 0.2], [0.4, 0.8]])
    np.testing.assert_allclose(behind, np.concatenate([dimmed, dimmed], axis=1))


def test_texts_are_shown_as_code():
    row = np.frombuffer('..häuser'.encode(), np.uint8)[np.newaxis]
    said = np.frombuffer('häxser'.encode(), np.uint8)[:, np.newaxis]
    # The stretch begins after the column of x_s.
    (text,) = draw_texts(text_spec(), row, np.array([1]), {'on its own': said})
    assert text == "truth:\n\n    'häuser'\n\non its own:\n\n    'häxser'"


def test_characters_are_shown_through_the_vocabulary():
    spec = character_spec().with_vocabulary('ä漢x')
    row = np.array([[0, 0, 1, 2, 0]], np.uint16)
    (text,) = draw_texts(spec, row, np.array([1]), {'fed': np.array([[3], [0], [2]])})
    assert text == "truth:\n\n    'ä漢\ufffd'\n\nfed:\n\n    'x\ufffd漢'"
