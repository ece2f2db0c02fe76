"""The page at `/`: one file that loads nothing, for a photo, a text or an array."""

import base64
import functools
import hashlib

from tools.serve.page.drawing import DRAWING
from tools.serve.page.script import SCRIPT
from tools.serve.page.style import STYLE

_CODE = f'"use strict";\n{DRAWING}\n{SCRIPT}'
_HASH = base64.b64encode(hashlib.sha256(_CODE.encode()).digest()).decode()
HEADERS = {
    # No script but this one runs, and nothing is asked but this server.
    'content-security-policy': (
        f"default-src 'none'; script-src 'sha256-{_HASH}'; style-src 'unsafe-inline'; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-cache',
}
_BODY = """
<h1 id="title">A model that reads</h1>
<p class="lead" id="lead">asking the server</p>
<form id="token-form" hidden>
  <label for="token">This server wants a token</label>
  <input type="password" id="token" autocomplete="off">
  <button>Send it</button>
</form>
<section id="give" hidden>
  <label class="drop" id="drop"><span id="wanted"></span>
    <input type="file" id="file" class="unseen"></label>
  <div id="write" hidden>
    <textarea id="text" aria-label="Text to read" placeholder="or paste a text here"></textarea>
    <button id="read" type="button">Read it</button>
  </div>
</section>
<p id="said" role="status" class="note"></p>
<section id="shown" hidden>
  <h2>What it would answer after each step</h2>
  <p class="answer"><b id="answer"></b> <span id="sure"></span></p>
  <svg class="graph" id="graph" role="img" aria-label="Class probabilities over the sequence"></svg>
  <ul class="legend-line" id="legend"></ul>
  <div class="slide"><label for="step">After step</label>
    <input type="range" id="step" min="0" value="0"><output id="step-out"></output></div>
  <div class="slide" id="back-slide"><label for="back">Looking back</label>
    <input type="range" id="back" min="1" value="1"><output id="back-out"></output></div>
  <div class="both">
    <figure><figcaption>What it has read so far</figcaption><div id="given"></div></figure>
    <figure id="memory"><figcaption>What it remembers of that</figcaption>
      <div id="kept"></div></figure>
  </div>
  <p class="note" id="compared"></p>
</section>
"""


@functools.cache
def page() -> str:
    """The page; it needs no other file."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<title>A model that reads</title><link rel="icon" href="data:,">'
        f'<style>{STYLE}</style></head><body>{_BODY}<script>{_CODE}</script></body></html>'
    )
