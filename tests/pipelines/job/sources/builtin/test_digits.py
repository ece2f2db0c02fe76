"""builtin:digits, against scikit-learn."""

import io

import numpy as np
import source_data
from PIL import Image
from sklearn.datasets import load_digits

from pipelines.job.sources.builtin import digits


def test_all_digits_as_scikit_learn_has_them(tmp_path):
    flags = ('--source=builtin:digits', '--auxiliary_steps=16', f'--output={tmp_path / "out"}')
    assert source_data.run_job(*flags) == 0
    data = load_digits()
    found = source_data.by_id(tmp_path / 'out')
    assert sorted(found) == [f'{i:04}' for i in range(1797)]
    for i, (image, label) in enumerate(zip(data.images, data.target, strict=True)):
        example = found[f'{i:04}']
        assert example.label == label
        values = np.frombuffer(example.values, np.uint8)
        # 0..16 spread over 0..255, to the nearest.
        assert np.abs(values - image.reshape(-1) * 255 / 16).max() <= 0.5
    counts = source_data.description(tmp_path / 'out')['counts']['splits']
    assert sum(counts.values()) == 1797
    # A fifth to test, a tenth of the others to validation: within four standard deviations.
    assert abs(counts['test'] - 0.2 * 1797) < 68
    assert abs(counts['validation'] - 0.08 * 1797) < 46


def test_raw_items_are_png_files_of_the_same_pixels():
    items = list(digits.raw_items())
    assert [i for i, _, _ in items] == [f'{i:04}' for i in range(1797)]
    image = load_digits().images[7]
    found = np.asarray(Image.open(io.BytesIO(items[7][2])))
    np.testing.assert_array_equal(found, np.rint(image * 255 / 16))
    assert items[7][1] == '7'
