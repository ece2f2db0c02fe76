"""Beam's own counters after a run, against what records.json says was written."""

import apache_beam as beam
import pytest
import source_data
from source_data import encode_image, pixels

from pipelines import options
from pipelines.job import metrics
from pipelines.job.graph import build
from pipelines.job.plan import make_plan


def run(*flags):
    """(name -> committed value) of all metrics of a job in our namespace."""
    parsed, beam_options = options.parse(list(flags))
    pipeline = beam.Pipeline('FnApiRunner', options=beam_options)
    build(pipeline, make_plan(parsed))
    result = pipeline.run()
    result.wait_until_finish()
    found = result.metrics().query(beam.metrics.MetricsFilter().with_namespace('longhaul'))
    kinds = (found['counters'], found['distributions'])
    return {m.key.metric.name: m.committed for kind in kinds for m in kind}


def test_a_runner_is_told_what_the_records_say(tmp_path):
    files = source_data.picture_files() | {
        'cat/empty.png': b'',
        'cat/void.png': b'',
        'cat/cut.png': encode_image(pixels(0))[:50],
        'dog/words.png': b'words',
    }
    folder, out = source_data.write_folder(tmp_path / 'in', files), tmp_path / 'out'
    flags = (*source_data.IMAGE_FLAGS, '--max_rejected_share=0.5', '--shards=2')
    metrics.HERE.clear()
    found = run(f'--source=images:{folder}', f'--output={out}', *flags)
    described = source_data.description(out)
    shards = [s for split in described['shards'].values() for s in split]
    reasons = {line['reason'] for line in source_data.rejected(out)}
    length = found.pop('length')
    assert (length.count, length.min, length.max, length.sum) == (24, 16, 16, 24 * 16)
    assert len(reasons) == 3
    by_reason = {f'rejected_{metrics.counter_name(reason)}': 1 for reason in reasons}
    assert found == by_reason | {
        'listed': len(files),
        'read': len(files),
        'written': sum(described['counts']['splits'].values()),
        'rejected': described['counts']['rejected'],
        'rejected_the_file_is_empty': 2,
        'steps': sum(described['counts']['steps'].values()),
        'bytes': sum(s['bytes'] for s in shards),
    }
    assert {name: metrics.HERE[name] for name in found} == found


def test_a_limit_reads_fewer_than_it_lists(tmp_path):
    table = source_data.write_csv(tmp_path / 't.csv', source_data.documents())
    flags = ('--auxiliary_steps=5', '--validation_share=0', '--limit=7')
    found = run(f'--source=csv:{table}', f'--output={tmp_path / "out"}', *flags)
    assert (found['listed'], found['read'], found['written']) == (40, 7, 7)


@pytest.mark.parametrize(
    ('reason', 'name'),
    [
        ('the file is empty', 'the_file_is_empty'),
        ('rotated by EXIF, which: (2) pixels', 'rotated_by_exif_which_2_pixels'),
        ('größer', 'gr_er'),
    ],
)
def test_a_reason_is_a_name(reason, name):
    assert metrics.counter_name(reason) == name
