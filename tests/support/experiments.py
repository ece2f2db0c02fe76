"""The gin files that we ship, without the fragments that they include."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
EXPERIMENTS = [
    f for f in sorted((ROOT / 'gin').rglob('*.gin')) if f.parent.name not in ('model', 'data')
]


def name_of(path: Path) -> str:
    """'mnist/r_lstm_300'."""
    return path.relative_to(ROOT / 'gin').with_suffix('').as_posix()
