"""Small data sets, made by the job itself in this process."""

import csv
from pathlib import Path

from pipelines import launcher

# Bindings of a model that trains in no time, on either of the small data sets.
TINY_RUN = [
    'ModelConfig.embedding_units=5',
    'ModelConfig.hidden_units=6',
    'ModelConfig.head_units=7',
    'ObjectiveConfig.supervised_bptt_steps=20',
    'ObjectiveConfig.auxiliary_bptt_steps=20',
    'ObjectiveConfig.auxiliary_steps=16',
    'ObjectiveConfig.reconstruction_weight=1.0',
    'DataConfig.batch_size=16',
    'DataConfig.eval_batch_size=16',
    # They are traced anew in each run, which takes longer than the run.
    'RunConfig.diagnostics=False',
]


def run_job(*flags: str) -> int:
    return launcher.main([*flags])


def digit_records(output: Path) -> str:
    code = run_job(
        '--source=builtin:digits',
        '--image_size=8',
        '--segment_steps=20',
        '--auxiliary_steps=16',
        '--anchor_sets=2',
        '--limit=200',
        f'--output={output}',
    )
    assert code == 0
    return str(output)


def documents() -> list[tuple[str, str]]:
    """(label, text) pairs; the lengths run from 1 to 90."""
    animals, tools = 'the quick brown fox jumps over the lazy dog ', 'hammer nail saw screw drill '
    pairs = []
    for i in range(1, 91):
        pairs.append(('animal', (animals * 3)[i % 7 :][:i]))
        pairs.append(('tool', (tools * 4)[i % 5 :][:i]))
    return pairs


def text_records(folder: Path, *, segment_steps: int = 10) -> str:
    with open(folder / 'train.csv', 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['label', 'text'])
        writer.writerows(documents())
    output = folder / 'records'
    code = run_job(
        f'--source=csv:{folder / "train.csv"}',
        f'--segment_steps={segment_steps}',
        '--auxiliary_steps=16',
        '--test_share=0.2',
        f'--output={output}',
    )
    assert code == 0
    return str(output)
