"""The product's losses and gradients against the slow float64 oracle of the truncated objective."""

import functools

import objective_adapter
import pytest
from truncation_oracle import Result
from truncation_setups import FOUND, SABOTAGED, SETUPS, errors, made, sabotaged, truth

TOLERANCES = {'float64': 1e-9, 'float32': 1e-4}

# One of each sort is enough in float32.
FLOAT32 = [
    'none_t_multiple_of_s',
    'rp',
    'documents',
    'unfed_pixels',
    'signals',
    'distance',
    'readout_rp',
]


@functools.cache
def _product(name: str, dtype: str = 'float64') -> Result:
    setup = made(name)
    return objective_adapter.evaluate(
        setup.case, setup.weights, segment_steps=setup.segment_steps, dtype=dtype
    )


def _disagreements(found: Result, true: Result, tolerance: float) -> dict[str, float]:
    # `not <=`, for a NaN is a disagreement too.
    return {n: e for n, e in errors(found, true).items() if not e <= tolerance}


@pytest.mark.parametrize('name', SETUPS)
def test_losses_and_gradients_agree(name):
    assert not _disagreements(_product(name), truth(name), TOLERANCES['float64'])


@pytest.mark.parametrize('name', FLOAT32)
def test_losses_and_gradients_agree_in_float32(name):
    assert not _disagreements(_product(name, 'float32'), truth(name), TOLERANCES['float32'])


@pytest.mark.parametrize(('name', 'sabotage'), SABOTAGED)
def test_a_sabotaged_oracle_is_found_out(name, sabotage):
    wrong = sabotaged(name, sabotage)
    assert max(errors(_product(name), wrong).values()) > FOUND
