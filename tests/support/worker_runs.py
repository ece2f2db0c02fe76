"""Workers of one run as processes of their own on this machine, started as a user starts them."""

import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 240


def free_hosts(count: int) -> list[str]:
    """Addresses on loopback that nobody listens at."""
    sockets = [socket.create_server(('127.0.0.1', 0)) for _ in range(count)]
    hosts = [f'127.0.0.1:{s.getsockname()[1]}' for s in sockets]
    for s in sockets:
        s.close()
    return hosts


def start(*flags: str, hosts: list[str], index: int) -> subprocess.Popen:
    """One worker of `python -m trainer.main`."""
    cluster = [
        '--distribution_strategy=multi_worker_mirrored',
        f'--worker_hosts={",".join(hosts)}',
        f'--task_index={index}',
    ]
    return subprocess.Popen(
        [sys.executable, '-m', 'trainer.main', *flags, *cluster],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen) -> tuple[int, str, str]:
    """Exit code, stdout and stderr; a worker that hangs is killed and fails the test."""
    try:
        out, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, out, err


def run_two(*flags: str, other: tuple[str, ...] = ()) -> list[tuple[int, str, str]]:
    """Two workers from start to end; `other`: more flags of the second, which win."""
    hosts = free_hosts(2)
    processes = [
        start(*flags, *(other if index else ()), hosts=hosts, index=index) for index in range(2)
    ]
    try:
        return [finish(process) for process in processes]
    finally:
        for process in processes:
            process.kill()


def refusal(error: str) -> str:
    """The one line that a worker ends with."""
    lines = [line for line in error.splitlines() if line.startswith('error: ')]
    assert len(lines) == 1, error
    assert 'Traceback' not in error
    return lines[0]
