"""The two phases of a run."""

import dataclasses

from trainer.config import RunConfig


@dataclasses.dataclass(frozen=True)
class Phase:
    """Steps first_step..last_step-1 of a run."""

    name: str
    first_step: int
    last_step: int
    supervised: bool


def phases(config: RunConfig) -> list[Phase]:
    """First the auxiliary losses alone, then all losses (paper, section 3.3); no empty phases."""
    middle, end = config.pretrain_steps, config.total_steps
    both = [Phase('pretrain', 0, middle, False), Phase('joint', middle, end, True)]
    return [p for p in both if p.last_step > p.first_step]
