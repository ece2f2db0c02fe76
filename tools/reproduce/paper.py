"""The paper's numbers, as the opening comments of the gin files state them."""

import dataclasses
import re
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A gin file: its first line, and the paper's number in its own words."""

    gin_file: str
    title: str
    paper: str


def read_experiment(path: str | Path) -> Experiment | None:
    """What a gin file says of itself; None for a fragment, which has no line of the paper."""
    text = Path(path).read_text()
    match = re.search(r'^# Paper \([^)]*\): (.*)$', text, re.MULTILINE)
    if not match:
        return None
    title = text.splitlines()[0].lstrip('# ').rstrip('.')
    return Experiment(str(path), title, match[1].rstrip('.'))


def read_experiments(folder: Path) -> list[Experiment]:
    """All experiments of the paper below a folder of gin files, by name; none of those in best/."""
    paths = (path for path in sorted(folder.rglob('*.gin')) if path.parent.name != 'best')
    found = map(read_experiment, paths)
    return [experiment for experiment in found if experiment is not None]
