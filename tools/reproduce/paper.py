"""The paper's numbers, as the opening comments of the gin files state them."""

import dataclasses
import re
from pathlib import Path

_OWN_DATA = ('photos.gin', 'texts.gin', 'signals.gin')


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
    """All experiments on whole data sets below a folder of gin files, by name.

    Those in best/ are chosen among them, and study/ has a page of its own. Recipes for data of
    one's own reproduce nothing.
    """
    paths = (p for p in sorted(folder.rglob('*.gin')) if p.parent.name not in ('best', 'study'))
    own = {folder / name for name in _OWN_DATA}
    found = map(read_experiment, (p for p in paths if p not in own))
    return [experiment for experiment in found if experiment is not None]
