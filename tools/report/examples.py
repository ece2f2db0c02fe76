"""Examples of a run's records, found by their ids."""

import numpy as np

from pipelines.format import anchors, records
from pipelines.format.errors import LonghaulError
from tools.inspect.stored import Records, Stored
from tools.report.run_files import RunFiles
from trainer.data import checks, record_files
from trainer.run_dir.folder import ModelDir


class Examples:
    """The examples of the split that a run was evaluated on."""

    def __init__(self, run: RunFiles) -> None:
        """Opens the records.

        Raises:
          LonghaulError: if they are not there, or not those that the run was trained on.
        """
        if not run.records:
            raise LonghaulError(f'{run.name}: does not say where its records lie; name --records')
        info = records.read_info(run.records)
        checks.check_same_data(run.spec, run.class_names, info.spec, info.class_names)
        trained = ModelDir(run.folder, flag='RUN').trained_records()
        if other := record_files.other_splits(trained, record_files.identity(info)):
            raise LonghaulError(
                f'{run.records}: holds other records than the run was trained on, in '
                f'{", ".join(other)}; name its records with --records'
            )
        self.found, self.split = Records(run.records), run.split
        self._reader = self.found.readers[self.split]

    def find(self, example_id: str) -> Stored | None:
        """The example of an id; None if no example has it."""
        hashed = anchors.id_hash(example_id)
        for number in np.flatnonzero(self._reader.entries['id_hash'] == hashed):
            example = self.found.read(self.split, int(number))
            if example.id == example_id:
                return example
        return None

    def spread(self, count: int, *, most_steps: int) -> list[Stored]:
        """Some examples of at most `most_steps` steps, evenly spaced in the index."""
        short = np.flatnonzero(self._reader.entries['length'] <= most_steps)
        places = np.unique(np.linspace(0, len(short) - 1, min(count, len(short))).astype(int))
        return [self.found.read(self.split, int(short[i])) for i in places]
