"""OptimizerConfig -> Model Garden's OptimizationConfig -> an optimizer."""

import tf_keras
from official.modeling import optimization

from trainer.config import OptimizerConfig

_TYPES = {'rmsprop': 'rmsprop', 'adam': 'adam_experimental', 'adamw': 'adamw_experimental'}


def optimization_config(
    config: OptimizerConfig, *, phase_steps: int
) -> optimization.OptimizationConfig:
    """Model Garden's form of the optimizer and its schedule; `phase_steps`: length of the phase."""
    kind = _TYPES[config.name]
    settings = {'global_clipnorm': config.global_clipnorm}
    if config.name == 'rmsprop':
        settings['rho'] = config.rho
    if config.name == 'adamw':
        settings['weight_decay'] = config.weight_decay
    warmup = {}
    if config.warmup_steps:
        linear = {'warmup_steps': config.warmup_steps, 'warmup_learning_rate': 0.0}
        warmup = {'type': 'linear', 'linear': linear}
    return optimization.OptimizationConfig(
        {
            'optimizer': {'type': kind, kind: settings},
            'learning_rate': _learning_rate(config, phase_steps),
            'warmup': warmup,
        }
    )


def _learning_rate(config: OptimizerConfig, phase_steps: int) -> dict:
    if config.schedule == 'constant':
        return {'type': 'constant', 'constant': {'learning_rate': config.learning_rate}}
    settings = {
        'initial_learning_rate': config.learning_rate,
        'decay_steps': config.decay_steps or max(phase_steps, 1),
    }
    if config.schedule == 'exponential':
        settings['decay_rate'] = config.decay_rate
    return {'type': config.schedule, config.schedule: settings}


def keep_learning_rate(optimizer: tf_keras.optimizers.Optimizer, config: OptimizerConfig) -> None:
    """Sets a constant learning rate to the configured one; call it after restoring.

    The learning rate is a variable of the checkpoint: without this call, a run that goes on with a
    new rate would keep the old one.
    """
    if config.schedule == 'constant' and not config.warmup_steps:
        optimizer.learning_rate = config.learning_rate


def make_optimizer(config: OptimizerConfig, *, phase_steps: int) -> tf_keras.optimizers.Optimizer:
    """The optimizer of one phase; its iterations, and with them the schedule, start at 0."""
    factory = optimization.OptimizerFactory(optimization_config(config, phase_steps=phase_steps))
    return factory.build_optimizer(factory.build_learning_rate(), use_legacy_optimizer=False)
