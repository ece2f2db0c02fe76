"""Data sets of TFDS without a network: original files put where it keeps downloads, small sets."""

import io
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from tensorflow_datasets.core.download import resource

tfds.disable_progress_bar()


def seed_downloads(data_dir: Path, name: str, files: Mapping[str, bytes]) -> None:
    """Puts a built-in set's original files ({last part of the URL: content}) into TFDS's cache.

    A cached file is named after the checksum that TFDS expects, and trusted: it is neither
    downloaded nor summed again. All that follows is TFDS's own work on these files.
    """
    for url, known in tfds.builder_cls(name).url_infos.items():
        folder = data_dir / 'downloads' / name
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / resource.get_dl_fname(url, known.checksum)
        path.write_bytes(files[url.rpartition('/')[2]])
        resource.get_info_path(path).write_text('{}')


def tar_gz(files: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode='w:gz') as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return file.getvalue()


def write_set(
    data_dir: Path,
    features: Mapping[str, Any],
    splits: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    name: str = 'weather',
    files: int | None = None,
    file_format: str | None = None,
) -> Path:
    """A data set of nobody's but the user's, prepared by TFDS; `files` per split."""
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version='1.0.0',
        features=tfds.features.FeaturesDict(features),
        split_datasets={k: list(enumerate(v)) for k, v in splits.items()},
        data_dir=data_dir,
        file_format=file_format,
        download_config=tfds.download.DownloadConfig(num_shards=files),
    )
    return data_dir


def write_metadata(
    data_dir: Path, name: str, counts: Mapping[str, int], *, file_format: str = 'array_record'
) -> Path:
    """What describes the prepared data of a built-in set, without them: for tfds.testing."""
    builder = tfds.builder(name, data_dir=data_dir)
    builder.info.set_file_format(file_format, override=True)
    template = tfds.core.naming.ShardedFileTemplate(
        data_dir=builder.data_path, dataset_name=builder.name, filetype_suffix=file_format
    )
    builder.info.set_splits(
        tfds.core.splits.SplitDict(
            tfds.core.SplitInfo(
                name=split,
                shard_lengths=[count],
                num_bytes=100 * count,
                filename_template=template.replace(split=split),
            )
            for split, count in counts.items()
        )
    )
    builder.data_path.mkdir(parents=True)
    builder.info.write_to_directory(builder.data_path)
    return data_dir
