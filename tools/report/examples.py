"""The records of a run."""

from pipelines.format.errors import LonghaulError
from tools.inspect.stored import Records
from tools.report.run_files import RunFiles
from trainer.data import checks, record_files
from trainer.run_dir.folder import ModelDir


def records_of(run: RunFiles) -> Records:
    """Opens the records that a run was trained on.

    Raises:
      LonghaulError: if they are not there, or are others.
    """
    if not run.records:
        raise LonghaulError(f'{run.name}: does not say where its records lie; name --records')
    found = Records(run.records)
    info = found.info
    checks.check_same_data(run.spec, run.class_names, info.spec, info.class_names)
    trained = ModelDir(run.folder, flag='RUN').trained_records()
    if other := record_files.other_splits(trained, record_files.identity(info)):
        raise LonghaulError(
            f'{run.records}: holds other records than the run was trained on, in '
            f'{", ".join(other)}; name its records with --records'
        )
    return found
