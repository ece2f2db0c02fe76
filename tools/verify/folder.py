"""A whole folder of records."""

import hashlib
import json
import posixpath

import tensorflow as tf

from pipelines.format import records
from pipelines.format.records import FILE_NAME, STATS_NAME, RecordsInfo
from pipelines.format.unreadable import refuses_unreadable
from tools.verify.faults import Report
from tools.verify.shard import verify_shard
from tools.verify.tally import Tally


def verify(folder: str) -> Report:
    """Looks at everything in a folder of records.

    Args:
      folder: any path that tf.io.gfile understands.

    Returns:
      The faults, and how much was looked at.

    Raises:
      LonghaulError: if there are no finished records of this version, or a file cannot be read.
    """
    info, report = records.read_info(folder), Report()
    with refuses_unreadable(folder):
        _verify(folder, info, report)
    return report


def _verify(folder: str, info: RecordsInfo, report: Report) -> None:
    if not _verify_description(folder, info, report):
        return
    tally = Tally(info)
    for split, shards in info.shards.items():
        for shard in shards:
            verify_shard(folder, split, shard, info, report=report, tally=tally)
    if not report.unread:
        for what in tally.differences():
            report.add(FILE_NAME, what)
        _verify_stats(folder, tally, report)
    _verify_others(folder, info, report)


def _read(folder: str, name: str, report: Report) -> bytes:
    with tf.io.gfile.GFile(posixpath.join(folder, name), 'rb') as file:
        data = file.read()
    report.files += 1
    report.bytes += len(data)
    return data


def _verify_description(folder: str, info: RecordsInfo, report: Report) -> bool:
    """Checks that records.json is as its writer writes it; whether its own checksum fits."""
    data = _read(folder, FILE_NAME, report)
    if info.sha256 and info.sha256 != info.content_sha256():
        # One changed number, such as the seed, would look like a fault of every record.
        report.add(FILE_NAME, 'its own sha256 does not fit, so that nothing was compared with it')
        return False
    if info.to_json().encode() != data:
        report.add(FILE_NAME, 'is not as the job writes it: somebody has changed it')
    if not info.sha256:
        report.add(FILE_NAME, 'has no checksum of its own: an older version of the job wrote it')
    return True


def _verify_stats(folder: str, tally: Tally, report: Report) -> None:
    """Checks the numbers of stats.json; whether it is there and whole, its checksum says."""
    path = posixpath.join(folder, STATS_NAME)
    if not tf.io.gfile.exists(path):
        return
    with tf.io.gfile.GFile(path, 'rb') as file:
        data = file.read()
    try:
        differences = list(tally.stats_differences(json.loads(data)))
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        differences = [f'damaged ({error})']
    for what in differences:
        report.add(STATS_NAME, what)


def _verify_others(folder: str, info: RecordsInfo, report: Report) -> None:
    """Checks the files beside the shards, and that no others are there."""
    listed = {f'{s["name"]}.{end}' for v in info.shards.values() for s in v for end in _ENDS}
    for name, sha256 in info.files.items():
        if not tf.io.gfile.exists(posixpath.join(folder, name)):
            report.add(name, 'missing, though records.json lists it')
        elif hashlib.sha256(_read(folder, name, report)).hexdigest() != sha256:
            report.add(name, 'sha256 is not that of records.json')
    for name in sorted(tf.io.gfile.listdir(folder)):
        if records.is_part(name) and name not in listed and name not in info.files:
            report.add(name, 'does not belong to these records; remove it')


_ENDS = ('tfrecord', 'index')
