"""A headless Chromium over the DevTools protocol, on two pipes: no port, no library."""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ('chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome')
MISSING = (
    'no Chromium: `apt-get install chromium-headless-shell` (Debian), or any Chromium or Chrome on '
    'PATH or named by LONGHAUL_CHROMIUM'
)
_FLAGS = (
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--no-first-run',
    '--disable-sync',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-extensions',
    '--hide-scrollbars',
    '--force-color-profile=srgb',
    '--remote-debugging-pipe',
)


def find() -> str | None:
    """Path of a browser, or None."""
    named = os.environ.get('LONGHAUL_CHROMIUM')
    return named or next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One tab.

    Attributes:
      complaints: what its console, its scripts and its policies have said so far.
      requests: addresses it has asked for.
    """

    def __init__(self, send: int, receive: int) -> None:
        self._send, self._receive, self._rest, self._number = send, receive, b'', 0
        self._session = None
        self.complaints: list[str] = []
        self.requests: list[str] = []
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        attached = self.call('Target.attachToTarget', targetId=target, flatten=True)
        self._session = attached['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self.call(f'{domain}.enable')

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """A command of the protocol, and its result."""
        self._number += 1
        message = {'id': self._number, 'method': method, 'params': parameters}
        if self._session:
            message['sessionId'] = self._session
        data = json.dumps(message).encode() + b'\0'
        while data:
            data = data[os.write(self._send, data) :]
        while (answer := self._next()).get('id') != self._number:
            self._note(answer)
        assert 'error' not in answer, f'{method}: {answer["error"]}'
        return answer['result']

    def open(
        self,
        place: Path | str,
        *,
        width: int,
        height: int = 900,
        dark: bool = False,
        media: str = '',
    ) -> None:
        """Loads a file, or an address, into a window of a width; what it says is noted."""
        self.complaints.clear()
        self.requests.clear()
        self.call(
            'Emulation.setDeviceMetricsOverride',
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        scheme = {'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}
        self.call('Emulation.setEmulatedMedia', media=media, features=[scheme])
        address = place if isinstance(place, str) else place.resolve().as_uri()
        self.call('Page.navigate', url=address)
        self.run(
            'new Promise(done => document.readyState == "complete" ? done() : '
            'addEventListener("load", () => done()))'
        )

    def run(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page, as JSON."""
        found = self.call(
            'Runtime.evaluate', expression=expression, returnByValue=True, awaitPromise=True
        )
        assert 'exceptionDetails' not in found, found['exceptionDetails']
        return found['result'].get('value')

    def screenshot(self, *, whole: bool = False) -> bytes:
        """A PNG of the window, or of the whole page."""
        found = self.call('Page.captureScreenshot', format='png', captureBeyondViewport=whole)
        return base64.b64decode(found['data'])

    def _note(self, event: dict[str, Any]) -> None:
        said = event.get('params', {})
        match event.get('method'):
            case 'Network.requestWillBeSent':
                self.requests.append(said['request']['url'])
            case 'Runtime.consoleAPICalled' | 'Runtime.exceptionThrown' | 'Log.entryAdded':
                self.complaints.append(json.dumps(said))

    def _next(self, seconds: float = 60) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while b'\0' not in self._rest:
            ready = select.select([self._receive], [], [], max(0, end - time.monotonic()))[0]
            part = os.read(self._receive, 1 << 20) if ready else b''
            assert part, 'the browser has ended, or is silent'
            self._rest += part
        message, _, self._rest = self._rest.partition(b'\0')
        return json.loads(message)


@contextlib.contextmanager
def page(browser: str) -> Iterator[Page]:
    """Starts a browser with one tab; ends it."""
    # The browser reads its commands from descriptor 3 and answers on 4.
    ours, theirs = zip(*(_pair(reading) for reading in (False, True)), strict=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        shell = f'exec "$0" "$@" 3<&{theirs[0]} 4>&{theirs[1]}'
        process = subprocess.Popen(
            ['bash', '-c', shell, browser, *_FLAGS, f'--user-data-dir={profile}'],
            pass_fds=theirs,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for descriptor in theirs:
            os.close(descriptor)
        try:
            yield Page(*ours)
        finally:
            for descriptor in ours:
                os.close(descriptor)
            process.terminate()
            process.wait(30)


def _pair(reading: bool) -> tuple[int, int]:
    """Our end and the browser's of a pipe, away from the descriptors 3 and 4."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return (moved[0], moved[1]) if reading else (moved[1], moved[0])


if __name__ == '__main__':
    # For the Makefile: is there one?
    sys.exit(None if find() else MISSING)
