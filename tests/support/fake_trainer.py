"""Stands in for `trainer.main` where a test looks at the queue alone: writes a run's files.

Takes the same flags; one validation every RunConfig.eval_interval steps, TICK seconds apart, going
on after those that its model_dir holds. Fails once a file named FAIL lies beside the model_dir.
"""

import json
import os
import sys
import time
from pathlib import Path


def flags(name: str) -> list[str]:
    found = [arg.partition('=') for arg in sys.argv[1:] if arg.startswith(f'--{name}=')]
    return [value for _, _, value in found]


def main() -> None:
    model_dir = Path(flags('model_dir')[0])
    params = dict(p.split('=', 1) for p in flags('gin_param'))
    steps, interval = int(params['RunConfig.train_steps']), int(params['RunConfig.eval_interval'])
    model_dir.mkdir(parents=True, exist_ok=True)
    if (model_dir.parent / 'FAIL').exists():
        sys.exit('error: the disk is full')
    (model_dir / 'command.json').write_text('{"commits": ["abc"]}')
    log = model_dir / 'validations.jsonl'
    known = log.read_text() if log.exists() else ''
    for step in range(interval * (known.count('\n') + 1), steps + 1, interval):
        time.sleep(float(os.environ.get('TICK', '0')))
        line = {'phase': 'joint', 'step': step, 'epochs': step / interval}
        known += json.dumps({**line, 'seconds': 1.5 * step, 'accuracy': step / 100}) + '\n'
        partial = model_dir / 'validations.partial'
        partial.write_text(known)
        partial.rename(log)
    result = {
        'gin_file': flags('gin_file')[0],
        'params': flags('gin_param'),
        'commit': 'abc',
        'seed': int(params.get('SEED', 0)),
        'epochs': steps / interval,
        'seconds': 1.5 * steps,
        'finished': True,
        'validation_accuracy': steps / 100,
        'test_accuracy': 0.5,
        'test_interval': [0.4, 0.6],
    }
    (model_dir / 'result.json').write_text(json.dumps(result))


if __name__ == '__main__':
    main()
