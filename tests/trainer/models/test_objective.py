"""The product's losses and gradients against the slow float64 oracle of the truncated objective."""

import functools

import objective_adapter
import pytest
from quick import quick_or_long
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
    'replication_readout_r',
]
# One of each sort is enough in the quick suite: the forms of both losses, alone and together, the
# lengths and cuts where a mistake by one would show, and every kind of data.
QUICK = [
    *FLOAT32,
    'none_s_0',
    'none_t_not_multiple',
    'r_s_0',
    'p_s_between_l_and_t',
    'p_s_equals_t',
    'rp_other_s',
    'pretraining_rp',
    'documents_alone',
    'documents_of_2_steps_and_1',
    'unlabelled_all',
    'dropconnect',
    'part_of_a_global_batch',
    'replication_m_not_dividing',
    'replication_documents',
    'replication_dropconnect',
    'replication_unlabelled_all',
    'scales_signals',
    'scales_unfed',
    'readout_r_every_step',
    'readout_p_far',
    'readout_rp_levels',
    'readout_pretraining',
    'readout_r_lstm_p',
    'readout_documents',
    'readout_scales_ids_zero',
]
QUICK_SABOTAGED = [
    'none_t_not_multiple',
    'rp_other_s',
    'documents_alone',
    'scales_unfed',
    'readout_rp',
    'replication_m_not_dividing',
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


@pytest.mark.parametrize('name', quick_or_long(SETUPS, QUICK))
def test_losses_and_gradients_agree(name):
    assert not _disagreements(_product(name), truth(name), TOLERANCES['float64'])


@pytest.mark.long
@pytest.mark.parametrize('name', FLOAT32)
def test_losses_and_gradients_agree_in_float32(name):
    assert not _disagreements(_product(name, 'float32'), truth(name), TOLERANCES['float32'])


@pytest.mark.parametrize(('name', 'sabotage'), quick_or_long(SABOTAGED, QUICK_SABOTAGED))
def test_a_sabotaged_oracle_is_found_out(name, sabotage):
    wrong = sabotaged(name, sabotage)
    assert max(errors(_product(name), wrong).values()) > FOUND
