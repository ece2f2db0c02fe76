"""Batches from records: right-aligned, the same on any number of replicas, anchors of the epoch."""

import dataclasses

import numpy as np
import pytest

from pipelines.format import anchors, records
from trainer.config import ObjectiveConfig
from trainer.data.batches import Rows, SplitInput
from trainer.data.distances import draw_distances
from trainer.data.placement import place_anchors

OBJECTIVE = ObjectiveConfig(auxiliary_steps=16, reconstruction_weight=1.0)


def split(folder, objective=OBJECTIVE, seed=0, name='train') -> SplitInput:
    return SplitInput(folder, name, records.read_info(folder), objective, seed=seed)


def take(dataset, count):
    return list(dataset.take(count).as_numpy_iterator())


def batches(source, first_step, count, parts=None, batch_size=8):
    order = source.order(batch_size)
    parts = parts or [Rows(0, 1)]
    return take(source.training(order, first_step=first_step, parts=parts), count)


def test_starts_at_any_step_without_reading_what_came_before(digit_records):
    whole = batches(split(digit_records), 0, 12)
    later = batches(split(digit_records), 7, 5)
    for a, b in zip(whole[7:], later, strict=True):
        for key in a:
            np.testing.assert_array_equal(a[key], b[key], err_msg=key)


def test_two_replicas_and_two_workers_see_the_global_batch(digit_records):
    source = split(digit_records)
    whole = batches(source, 3, 2)
    replicas = batches(source, 3, 4, [Rows(0, 2), Rows(1, 2)])
    workers = [batches(source, 3, 2, [Rows(w, 2)]) for w in range(2)]
    for key in whole[0]:
        for step in range(2):
            halves = [r[key] for r in replicas[2 * step : 2 * step + 2]]
            np.testing.assert_array_equal(np.concatenate(halves), whole[step][key], err_msg=key)
            halves = [w[step][key] for w in workers]
            np.testing.assert_array_equal(np.concatenate(halves), whole[step][key], err_msg=key)


def drawn(source, batch, epoch, seed=0, k=1, steps=16):
    lengths = batch['lengths']
    return anchors.sample_anchors(
        seed=seed,
        sets=[epoch],
        id_hashes=np.array([anchors.id_hash(i) for i in source.ids(batch['rows'])], np.uint64),
        lengths=lengths,
        auxiliary_steps=anchors.auxiliary_length(lengths, steps, fixed_length=True),
        anchors_per_sequence=k,
    )


@pytest.mark.parametrize('epoch', [0, 1, 2, 5])
def test_anchors_are_those_of_the_epoch_stored_or_drawn(digit_records, epoch):
    source = split(digit_records)
    first = epoch * source.order(8).steps_per_epoch
    batch = batches(source, first, 1)[0]
    want = drawn(source, batch, epoch)
    for name, array in zip(('r_anchors', 'r_starts', 'p_anchors'), want, strict=True):
        np.testing.assert_array_equal(batch[name], array[:, 0])


def test_stored_anchors_are_read_and_not_drawn(digit_records):
    """Another function would be drawn from here; the stored integers must come all the same."""
    source = split(digit_records)
    source._draw_anchors = lambda entries, epoch: [np.full([len(entries), 1], -7, np.int32)] * 3
    assert (batches(source, 0, 1)[0]['r_anchors'] >= 16).all()
    beyond = 2 * source.order(8).steps_per_epoch
    assert (batches(source, beyond, 1)[0]['r_anchors'] == -7).all()


def test_other_settings_than_the_stored_ones_are_drawn(digit_records):
    objective = ObjectiveConfig(
        auxiliary_steps=10, anchors_per_sequence=3, reconstruction_weight=1.0
    )
    source = split(digit_records, objective, seed=5)
    batch = batches(source, 0, 1)[0]
    want = drawn(source, batch, 0, seed=5, k=3, steps=10)
    np.testing.assert_array_equal(batch['r_starts'], want.r_starts[:, 0])


def test_without_a_loss_that_uses_them_anchors_need_not_fit(digit_records):
    """A plain LSTM reads sequences shorter than the default `auxiliary_steps`."""
    source = split(digit_records, ObjectiveConfig(auxiliary_steps=600, anchors_per_sequence=3))
    for name in ('r_anchors', 'r_starts', 'p_anchors'):
        np.testing.assert_array_equal(batches(source, 0, 1)[0][name], np.zeros([8, 3]))


def test_documents_are_right_aligned(text_records):
    info = records.read_info(text_records)
    seen = set()
    for batch in batches(split(text_records), 0, 10):
        columns = batch['inputs'].shape[1]
        assert columns % info.segment_steps == 0
        seen.add(columns)
        for row, length in zip(batch['inputs'], batch['lengths'], strict=True):
            assert (row[: columns - length] == 0).all()
            assert (row[columns - length :] != 0).all()
    assert len(seen) > 1


def test_evaluation_has_every_example_once(text_records):
    source = split(text_records, name='test')
    found = []
    dataset = source.evaluation(batch_size=8, parts=[Rows(0, 1)])
    for batch in dataset.as_numpy_iterator():
        found.extend(batch['rows'][batch['counted']])
    assert sorted(found) == list(range(len(source.reader)))
    hashes = [anchors.id_hash(name) for name in source.ids(found)]
    np.testing.assert_array_equal(hashes, source.reader.entries['id_hash'][found])


def test_no_batch_holds_a_string(text_records):
    """Ids stay on the host: accelerators hold numbers only."""
    batch = batches(split(text_records), 0, 1)[0]
    assert {v.dtype.kind for v in batch.values()} == {'u', 'i', 'b'}


def test_coins_follow_the_teacher_forcing_rate_and_the_step(digit_records):
    def fed(rate, step):
        objective = ObjectiveConfig(
            auxiliary_steps=16, reconstruction_weight=1.0, teacher_forcing_rate=rate
        )
        return batches(split(digit_records, objective), step, 1, batch_size=64)[0]['fed']

    assert fed(1.0, 0).shape == (64, 1, 0)
    assert not fed(0.0, 0).any()
    assert abs(fed(0.3, 0).mean() - 0.3) < 0.05
    np.testing.assert_array_equal(fed(0.3, 1), fed(0.3, 1))
    assert (fed(0.3, 0) != fed(0.3, 1)).any()


def test_teacher_forcing_moves_from_the_first_rate_to_the_last(digit_records):
    objective = ObjectiveConfig(
        auxiliary_steps=16,
        reconstruction_weight=1.0,
        teacher_forcing_final_rate=0.0,
        teacher_forcing_decay_steps=100,
    )
    shares = [
        batches(split(digit_records, objective), step, 1, batch_size=64)[0]['fed'].mean()
        for step in (0, 25, 75, 100, 5000)
    ]
    np.testing.assert_allclose(shares, [1, 0.75, 0.25, 0, 0], atol=0.05)
    assert shares[0] == 1
    assert shares[-2] == shares[-1] == 0


READOUTS = ObjectiveConfig(
    auxiliary_bptt_steps=20,
    auxiliary_steps=16,
    anchors_per_sequence=2,
    reconstruction_weight=1.0,
    prediction_weight=1.0,
    reconstruction_form='readout',
    prediction_form='readout',
    readout_distances=5,
)


@pytest.mark.parametrize('data', ['digit_records', 'text_records'])
def test_distances_are_those_of_the_step_for_all_rows_alike(request, data):
    """Back as far as the batch is long, ahead as far as `auxiliary_steps`."""
    source = split(request.getfixturevalue(data), READOUTS, seed=4)
    for step, batch in enumerate(batches(source, 0, 3)):
        steps = batch['inputs'].shape[1]
        for name, farthest in (('r_distances', steps), ('p_distances', min(16, steps))):
            want = draw_distances(
                seed=4,
                step=step,
                farthest=farthest,
                count=5,
                placement='uniform',
                future=name == 'p_distances',
            )
            np.testing.assert_array_equal(batch[name], np.tile(want, [8, 1]))


def test_evaluations_ask_for_the_middles_and_plain_runs_for_nothing(digit_records):
    found = split(digit_records, READOUTS).sample(3)
    np.testing.assert_array_equal(found['r_distances'], [[7, 20, 33, 45, 58]] * 3)
    np.testing.assert_array_equal(found['p_distances'], [[2, 5, 9, 12, 15]] * 3)
    past = dataclasses.replace(READOUTS, prediction_form='lstm')
    assert split(digit_records, past).sample(3)['p_distances'].shape == (3, 0)
    assert split(digit_records).sample(3)['r_distances'].shape == (3, 0)


@pytest.mark.parametrize(
    ('change', 'steps'),
    [
        ({}, 20),
        # The window of a readout beside a decoder or an LSTM, which spans 16.
        ({'prediction_form': 'lstm'}, 16),
        # As long as the sequence: it has one place, and the anchor the last two.
        ({'auxiliary_bptt_steps': 300}, 63),
    ],
)
def test_a_readouts_anchors_leave_room_for_its_window(digit_records, change, steps):
    source = split(digit_records, dataclasses.replace(READOUTS, **change))
    found = source.anchors(0)['r_anchors']
    assert found.shape == (200, 2)
    assert set(found.flat) == set(range(steps, 65))


@pytest.mark.parametrize('placement', ['stratified', 'early'])
def test_placed_anchors_are_not_the_stored_ones(digit_records, placement):
    objective = dataclasses.replace(OBJECTIVE, anchor_placement=placement)
    source = split(digit_records, objective)
    batch = batches(source, 0, 1)[0]
    want = place_anchors(
        placement,
        seed=0,
        epoch=0,
        id_hashes=source.reader.entries['id_hash'][batch['rows']],
        lengths=np.full([8], 64),
        auxiliary_steps=np.full([8], 16),
        anchors_per_sequence=1,
    )
    for name, array in zip(('r_anchors', 'r_starts', 'p_anchors'), want, strict=True):
        np.testing.assert_array_equal(batch[name], array)


def test_evaluations_are_fed_as_at_the_end_of_training(digit_records):
    """The rate that a schedule ends with, whatever it began with."""

    def fed(**rates):
        objective = dataclasses.replace(OBJECTIVE, **rates)
        return split(digit_records, objective).sample(64)['fed']

    schedule = {'teacher_forcing_decay_steps': 100}
    assert fed().shape == (64, 1, 0)
    assert not fed(teacher_forcing_rate=0.0).any()
    assert fed(teacher_forcing_rate=0.0).shape == (64, 1, 15)
    assert not fed(teacher_forcing_final_rate=0.0, **schedule).any()
    rising = fed(teacher_forcing_rate=0.0, teacher_forcing_final_rate=0.3, **schedule)
    assert abs(rising.mean() - 0.3) < 0.05
