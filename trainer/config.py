"""The settings that gin binds: frozen dataclasses, one per part of a run.

Each class checks its own values when it is made. `trainer.data.checks` checks them against the
records. The defaults are the paper's (Trinh et al. 2018, section 4).
"""

import dataclasses
from typing import Any

import gin

from trainer.objective_config import ObjectiveConfig as ObjectiveConfig
from trainer.require import require, require_bools, require_counts, require_range


@gin.configurable
@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Sizes of the model. `dropconnect_rate` acts on the classifier's square kernel.

    `chrono_steps`: gives the LSTMs' gates initial biases for memories of up to this many steps, in
    place of `forget_bias`, see `trainer.models.layers.GateBias`.

    `architecture`: lstm (the paper's; the only one with auxiliary losses), or a baseline with the
    same embedding and classifier: gru (`hidden_units` wide) or transformer (`embedding_units` wide;
    `transformer_inner_units`: width of a layer's feed-forward part).

    `readout_units`: width of all layers of a readout, see `trainer.models.readout`.
    """

    architecture: str = 'lstm'
    embedding_units: int = 128
    hidden_units: int = 128
    head_units: int = 256
    readout_units: int = 128
    dropconnect_rate: float = 0.5
    forget_bias: float = 1.0
    chrono_steps: int | None = None
    share_embedding: bool = True
    transformer_layers: int = 2
    transformer_heads: int = 4
    transformer_inner_units: int = 128

    def __post_init__(self) -> None:
        names = ('lstm', 'gru', 'transformer')
        require(self, 'architecture', self.architecture in names, f'one of {names} is needed')
        widths = ('embedding', 'hidden', 'head', 'readout', 'transformer_inner')
        # TensorFlow counts the columns of a matrix, four times the width, with 32 bits.
        require_counts(self, least={f'{name}_units': 1 for name in widths}, most=1 << 24)
        require_counts(self, least={'transformer_layers': 1, 'transformer_heads': 1})
        require_range(self, 'dropconnect_rate', 0, 0.99)
        if self.chrono_steps is not None:
            require_counts(self, least={'chrono_steps': 3})
        if self.architecture == 'transformer':
            self._check_transformer()

    def _check_transformer(self) -> None:
        units, heads = self.embedding_units, self.transformer_heads
        require(
            self,
            'embedding_units',
            units % heads == 0,
            f'a multiple of ModelConfig.transformer_heads={heads} is needed',
        )
        # Sinusoids come in pairs (sine, cosine), and a ratio of wavelengths needs two pairs.
        require(
            self,
            'embedding_units',
            units % 2 == 0 and units >= 4,
            "an even number >= 4 is needed for a transformer's positions",
        )


@gin.configurable
@dataclasses.dataclass(frozen=True)
class DataConfig:
    """Where the records lie, and how they are batched.

    `batch_size` is the global one, over all replicas and workers. Each replica computes its rows in
    `accumulation_steps` equal parts, one after another, in the memory of one part. `kind` ('image',
    'text' or 'signal'), `image_size`, `channels`, `permuted` and `trailing_steps` (steps that the
    job appended) describe the records that the experiment was made for; others are refused. None
    allows any value. `service`: grpc://host:port of a tf.data service that reads and parses
    training batches, see `tools.data_service`; None: this process reads them. `labelled_share`:
    share of labelled examples in each batch of the phase that trains all losses, see
    `trainer.data.labelled_order`. 1: labelled examples only; None: the order ignores labels.
    """

    records: str = ''
    batch_size: int = 128
    eval_batch_size: int = 128
    accumulation_steps: int = 1
    service: str | None = None
    labelled_share: float | None = None
    kind: str | None = None
    image_size: int | None = None
    channels: int | None = None
    permuted: bool | None = None
    trailing_steps: int | None = None

    def __post_init__(self) -> None:
        require_counts(self, least={'batch_size': 1, 'eval_batch_size': 1, 'accumulation_steps': 1})
        require(
            self,
            'batch_size',
            self.batch_size % self.accumulation_steps == 0,
            f'a multiple of DataConfig.accumulation_steps={self.accumulation_steps} is needed',
        )
        require(self, 'records', isinstance(self.records, str), 'a folder name is needed')
        if self.service is not None:
            address = str(self.service).startswith('grpc://')
            require(self, 'service', address, 'grpc://host:port is needed')
        if self.labelled_share is not None:
            require_range(self, 'labelled_share', 0, 1)


@gin.configurable
@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """Optimizer and schedule, built by Model Garden's OptimizationConfig.

    `name`: rmsprop, adam or adamw. `schedule`: constant, cosine or exponential over `decay_steps`
    (cosine: None means all steps of the phase), after `warmup_steps` from 0. `global_clipnorm`
    clips after the all-reduce; None clips nothing. `ema_decay`: decay of moving averages of the
    weights; the averages are then evaluated and exported. None: there are no averages, and the
    weights themselves are evaluated and exported.
    """

    name: str = 'rmsprop'
    learning_rate: float = 0.001
    rho: float = 0.9
    weight_decay: float = 0.0
    schedule: str = 'constant'
    decay_steps: int | None = None
    decay_rate: float = 0.5
    warmup_steps: int = 0
    global_clipnorm: float | None = 1.0
    ema_decay: float | None = None

    def __post_init__(self) -> None:
        names, schedules = ('rmsprop', 'adam', 'adamw'), ('constant', 'cosine', 'exponential')
        require(self, 'name', self.name in names, f'one of {names} is needed')
        require(self, 'schedule', self.schedule in schedules, f'one of {schedules} is needed')
        require_range(self, 'learning_rate', 0, 1e3)
        require_range(self, 'rho', 0, 1)
        require_range(self, 'weight_decay', 0, 1e3)
        require_counts(self, least={'warmup_steps': 0})
        if self.decay_steps is not None:
            require_counts(self, least={'decay_steps': 1})
        if self.ema_decay is not None:
            require_range(self, 'ema_decay', 0, 1 - 1e-7)
        if self.global_clipnorm is not None:
            require_range(self, 'global_clipnorm', 1e-12, 1e12)


@gin.configurable
@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Length and intervals of a run, in steps; `seed` decides everything random.

    `pretrain_steps` come first and train the auxiliary losses alone; then `train_steps` train all
    losses together. `train_epochs`, passes over the training split, may take the place of
    `train_steps`, and `validations`, their number, that of `eval_interval`; the other one is None
    then. `warm_start`: model_dir of another run; this run starts from the weights of that run's
    auxiliary phase, with a new classifier. `keep_checkpoints`: how many to keep.
    `evaluate_test`: set it to False while settings are chosen, so that only the validation split
    decides. `patience`: number of validations without a better accuracy that end a run early. A
    batch is left out if its loss or gradient is not finite, or if its loss is above
    `skip_loss_above`; after more than `max_skipped_batches` such batches the run ends with an
    error. `diagnostics`: whether validations measure state use, the memory curve and gradient
    norms, and TensorBoard gets predictions and histograms of anchors; without it, a finished run
    has no report.html. `profile_from`, `profile_until`: global steps; the loops between them are
    profiled. `path`: implementation that reads the sequences: auto (by the devices), scan,
    compiled_scan or cudnn, see `trainer.devices.execution`. `precision`: float32, or
    mixed_bfloat16: training multiplies in bfloat16, while weights, states and losses stay float32.
    """

    train_steps: int | None = 10_000
    pretrain_steps: int = 0
    seed: int = 0
    log_interval: int = 50
    checkpoint_interval: int = 500
    eval_interval: int | None = 500
    keep_checkpoints: int = 2
    evaluate_test: bool = True
    patience: int | None = None
    skip_loss_above: float | None = None
    max_skipped_batches: int = 10
    diagnostics: bool = True
    profile_from: int | None = None
    profile_until: int | None = None
    warm_start: str = ''
    path: str = 'auto'
    precision: str = 'float32'
    train_epochs: float | None = None
    validations: int | None = None

    def __post_init__(self) -> None:
        text = isinstance(self.warm_start, str)
        require(self, 'warm_start', text, 'the model_dir of another run is needed')
        require_bools(self, 'evaluate_test', 'diagnostics')
        self._check_profile()
        precisions = ('float32', 'mixed_bfloat16')
        rule = f'one of {precisions} is needed'
        require(self, 'precision', self.precision in precisions, rule)
        paths = ('auto', 'scan', 'compiled_scan', 'cudnn')
        require(self, 'path', self.path in paths, f'one of {paths} is needed')
        self._check_lengths()
        least = {
            'pretrain_steps': 0,
            'log_interval': 1,
            'checkpoint_interval': 1,
            'keep_checkpoints': 1,
            'max_skipped_batches': 0,
        }
        maybe = {'train_steps': 0, 'eval_interval': 1, 'patience': 1, 'validations': 1}
        least |= {name: n for name, n in maybe.items() if getattr(self, name) is not None}
        require_counts(self, least=least)
        require_counts(self, least={'seed': 0}, most=(1 << 63) - 1)
        if self.skip_loss_above is not None:
            require_range(self, 'skip_loss_above', 0, 1e12)

    def _check_lengths(self) -> None:
        for own, other in (('train_epochs', 'train_steps'), ('validations', 'eval_interval')):
            one = (getattr(self, own) is None) != (getattr(self, other) is None)
            value = getattr(self, other)
            rule = f'either this or RunConfig.{other}={value!r} is needed, and None for the other'
            require(self, own, one, rule)
        if self.train_epochs is not None:
            require_range(self, 'train_epochs', 1e-6, 1e9)

    def _check_profile(self) -> None:
        first, last = self.profile_from, self.profile_until
        if first is None and last is None:
            return
        rule = 'profile_from and profile_until are needed, 0 <= profile_from < profile_until'
        fits = isinstance(first, int) and isinstance(last, int) and 0 <= first < last
        require(self, 'profile_until', fits, rule)

    @property
    def total_steps(self) -> int:
        """Steps of both phases; epochs do not count, see `trainer.training.lengths`."""
        return self.pretrain_steps + (self.train_steps or 0)

    @property
    def validated_every(self) -> int:
        """Steps from one validation to the next; those of a run without an interval: one."""
        return self.eval_interval or max(1, self.total_steps)


@dataclasses.dataclass(frozen=True)
class Config:
    """A whole run."""

    model: ModelConfig
    objective: ObjectiveConfig
    data: DataConfig
    optimizer: OptimizerConfig
    run: RunConfig

    def __post_init__(self) -> None:
        if self.model.architecture == 'lstm':
            return
        auxiliary = (
            (self.objective, 'reconstruction_weight'),
            (self.objective, 'prediction_weight'),
            (self.objective, 'replication_weight'),
            (self.objective, 'anchor_losses'),
            (self.run, 'pretrain_steps'),
        )
        require(
            self.run,
            'precision',
            self.run.precision == 'float32',
            f'ModelConfig.architecture={self.model.architecture!r} computes in float32 alone',
        )
        rule = (
            f'ModelConfig.architecture={self.model.architecture!r} has no auxiliary losses: 0 is '
            "needed, or architecture='lstm'"
        )
        for owner, name in auxiliary:
            require(owner, name, not getattr(owner, name), rule)


def default_of(field: dataclasses.Field) -> Any:
    """The default value of a setting."""
    made = field.default_factory
    return field.default if made is dataclasses.MISSING else made()


def resolve() -> Config:
    """Reads all bindings once; no code reads gin's bindings afterwards."""
    return Config(ModelConfig(), ObjectiveConfig(), DataConfig(), OptimizerConfig(), RunConfig())
