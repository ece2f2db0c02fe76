"""Packaging of Longhaul; standard library and setuptools only, so that a Beam worker can build it.

The base install is what a Beam worker needs. A machine that trains installs `longhaul[trainer]`.
"""

import os

from setuptools import find_packages, setup

BASE = [
    'absl-py>=1.4',
    'apache-beam>=2.77,<2.78',
    'gin-config==0.5.0',
    'google-crc32c>=1.5',
    'jsonschema>=4.18',
    # tensorflow-datasets imports it without asking for it.
    'importlib_resources>=6.0',
    'numpy',
    'tensorflow~=2.20.0',
    'tensorflow-datasets==4.9.10',
    'tqdm>=4.60',
]
TRAINER = [
    'tf-keras~=2.20.0',
    'tf-models-official~=2.20.0',
    'tensorboard~=2.20.0',
    'matplotlib>=3.8',
]
DEMO = ['scikit-learn>=1.4']
# Asking a server needs the first; the others are what `tools.serve` is built on.
SERVING = [
    'tensorflow-serving-api==2.20.*',
    'httptools>=0.6',
    'prometheus-client>=0.20',
    'starlette>=0.40',
    'uvicorn>=0.40',
    'websockets>=15',
]
# An export for other runtimes, compared with one of them.
ONNX = ['onnx>=1.17', 'onnxruntime>=1.20']
GCP = ['apache-beam[gcp]>=2.77,<2.78']
# Google's storage and Dataflow on loopback.
DATAFLOW_TESTS = [*GCP, *DEMO, 'gcp-storage-emulator>=2026.7', 'pillow>=10', 'pytest>=8']
DEV = [
    'hypothesis>=6',
    'mypy>=2',
    'pillow>=10',
    'pytest>=8',
    'pytest-xdist>=3.5',
    'ruff==0.17.6',
]

# The gin files are installed as longhaul/share/gin, where `trainer.bindings` looks for them. A Beam
# worker is built without them.
GIN_FOLDERS = {
    folder.replace(os.sep, '.').replace('gin', 'longhaul.share.gin', 1): folder
    for folder, _, names in os.walk('gin')
    if any(name.endswith('.gin') for name in names)
}

setup(
    name='longhaul',
    version='0.1.0',
    description='Trains recurrent networks on sequences of 16,000 steps and more.',
    packages=[
        *find_packages(
            include=[
                pattern
                for name in ('longhaul', 'pipelines', 'trainer', 'tools')
                for pattern in (name, f'{name}.*')
            ]
        ),
        *GIN_FOLDERS,
    ],
    package_dir=GIN_FOLDERS,
    package_data={name: ['*.gin'] for name in GIN_FOLDERS},
    entry_points={'console_scripts': ['longhaul = longhaul.__main__:main']},
    python_requires='>=3.11,<3.13',
    install_requires=BASE,
    extras_require={
        'trainer': TRAINER,
        'demo': DEMO,
        'gcp': GCP,
        'dataflow-tests': DATAFLOW_TESTS,
        'serving': SERVING,
        'onnx': ONNX,
        'dev': TRAINER + DEMO + SERVING + ONNX + DEV,
    },
)
