"""A session cluster of Apache Flink on loopback: JobManager, two TaskManagers, Python workers.

`make test-flink` installs Flink into .work/flink; tests skip without it, see `WHY_NOT`.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from worker_runs import free_hosts

ROOT = Path(__file__).parents[2]
HOME = ROOT / '.work/flink'
JAR = HOME / 'job-server.jar'
WHY_NOT = '' if (HOME / 'installed').exists() else f'no Flink in {HOME}: make test-flink'
SECONDS = 300

# Flink 1.16 reaches into the JDK.
_OPEN = (
    'java.lang java.lang.invoke java.lang.reflect java.net java.io java.nio java.text java.time '
    'java.util java.util.concurrent java.util.concurrent.atomic java.util.concurrent.locks'
)
_RUNTIME = 'org.apache.flink.runtime'
_JOB_MANAGER = f'{_RUNTIME}.entrypoint.StandaloneSessionClusterEntrypoint'
_TASK_MANAGER = f'{_RUNTIME}.taskexecutor.TaskManagerRunner'
# Beam's jar is in the class path of the cluster, so that a Python worker can outlive a stage. The
# memory of a TaskManager is named in full, since Flink's shell scripts do not compute it here.
_SETTINGS = """
classloader.resolve-order: parent-first
cluster.evenly-spread-out-slots: true
heartbeat.interval: 1000
heartbeat.timeout: 10000
jobmanager.bind-host: 127.0.0.1
jobmanager.rpc.address: 127.0.0.1
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
rest.retry.max-attempts: 5
restart-strategy: fixed-delay
restart-strategy.fixed-delay.attempts: 3
restart-strategy.fixed-delay.delay: 1 s
taskmanager.bind-host: 127.0.0.1
taskmanager.cpu.cores: 2
taskmanager.host: 127.0.0.1
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.framework.off-heap.size: 64m
taskmanager.memory.jvm-metaspace.size: 256m
taskmanager.memory.jvm-overhead.max: 128m
taskmanager.memory.jvm-overhead.min: 128m
taskmanager.memory.managed.size: 64m
taskmanager.memory.network.max: 256m
taskmanager.memory.network.min: 256m
taskmanager.memory.task.heap.size: 256m
taskmanager.memory.task.off-heap.size: 64m
taskmanager.network.sort-shuffle.min-buffers: 64
taskmanager.numberOfTaskSlots: 2
"""
_LOGGING = """
rootLogger.level = INFO
rootLogger.appenderRef.out.ref = out
appender.out.name = out
appender.out.type = CONSOLE
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %-5p %c - %m%n
"""


class Cluster:
    """The processes of a cluster; their logs are in `folder`.

    Attributes:
      processes: by name: 'jobs', 'tasks-0', 'tasks-1', 'pool', 'server' (Beam's job server).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.processes: dict[str, subprocess.Popen] = {}
        rpc, self.master, self.pool, self.server = free_hosts(4)
        ports = {'jobmanager.rpc.port': rpc, 'rest.port': self.master}
        lines = [f'{name}: {host.rpartition(":")[2]}' for name, host in ports.items()]
        lines.append(f'io.tmp.dirs: {folder}')
        (folder / 'flink-conf.yaml').write_text(_SETTINGS + '\n'.join(lines) + '\n')
        (folder / 'log4j.properties').write_text(_LOGGING)

    def start(self) -> None:
        """Starts what does not run, and waits for the four slots."""
        self._java('jobs', _JOB_MANAGER, '-Xmx384m')
        for name in ('tasks-0', 'tasks-1'):
            self._java(name, _TASK_MANAGER, '-Xmx384m', '-XX:MaxDirectMemorySize=512m')
        if not self._runs('pool'):
            module = 'apache_beam.runners.worker.worker_pool_main'
            port = self.pool.rpartition(':')[2]
            self._run('pool', sys.executable, '-m', module, f'--service_port={port}')
        if not self._runs('server'):
            ports = {'job': self.server.rpartition(':')[2], 'artifact': '0', 'expansion': '0'}
            places = [f'--{name}-port={port}' for name, port in ports.items()]
            places.append(f'--artifacts-dir={self._folder}/artifacts')
            self._run('server', 'java', '-jar', str(JAR), f'--flink-master={self.master}', *places)
        self.wait_for(lambda: self.ask('/overview')['slots-available'] == 4, 'four slots')

    def _java(self, name: str, main: str, *flags: str) -> None:
        if self._runs(name):
            return
        opens = [f'--add-opens=java.base/{package}=ALL-UNNAMED' for package in _OPEN.split()]
        exports = '--add-exports=java.base/sun.net.util=ALL-UNNAMED'
        # Flink's own classes first: the job server's jar has some of them too.
        jars = [*sorted(map(str, (HOME / 'lib').glob('*.jar'))), str(JAR)]
        logging = f'-Dlog4j.configurationFile={self._folder}/log4j.properties'
        command = ['java', *flags, *opens, exports, logging, '-cp', os.pathsep.join(jars)]
        self._run(name, *command, main, '--configDir', str(self._folder))

    def _run(self, name: str, *command: str) -> None:
        # The pool starts workers as `python`; they must find this checkout alone.
        path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
        env = os.environ | {'PATH': path, 'PYTHONPATH': str(ROOT)}
        with (self._folder / f'{name}.log').open('ab') as log:
            # A session of its own: a Ctrl-C of the tests is not one of the cluster.
            self.processes[name] = subprocess.Popen(
                command, cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True
            )

    def _runs(self, name: str) -> bool:
        return name in self.processes and self.processes[name].poll() is None

    def ask(self, path: str) -> Any:
        """An answer of the JobManager's REST API."""
        with urllib.request.urlopen(f'http://{self.master}{path}', timeout=10) as answer:
            return json.load(answer)

    def wait_for(self, condition: Callable[[], bool], what: str) -> None:
        """Waits until something holds; a cluster that cannot be asked yet is asked again."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                if condition():
                    return
            time.sleep(0.3)
        raise AssertionError(f'{what}: not within {SECONDS} s, see {self._folder}')

    def kill(self, name: str) -> None:
        """As kill -9 does."""
        self.processes[name].kill()
        self.processes[name].wait()

    def stop(self) -> None:
        """Ends every process that was started, and the workers that the pool has started."""
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def flags(self, parallelism: int, *, own_server: bool = False) -> list[str]:
        """The flags that a user adds to run a job on this cluster.

        Args:
          parallelism: of the job.
          own_server: whether the command starts a job server, and does not take the cluster's.
        """
        server = ['--runner=PortableRunner', f'--job_endpoint={self.server}']
        if own_server:
            master = f'--flink_master={self.master}'
            server = ['--runner=FlinkRunner', master, f'--flink_job_server_jar={JAR}']
        return [
            *server,
            '--environment_type=EXTERNAL',
            f'--environment_config={self.pool}',
            # Both TaskManagers share the pool and number their workers alike: the first to end its
            # worker would end the other's. With this they last, longer than any job here.
            f'--environment_cache_millis={SECONDS}000',
            f'--parallelism={parallelism}',
        ]


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """A cluster that ends with the block, also when a test fails or is interrupted."""
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
