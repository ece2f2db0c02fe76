"""The HTTP side of the server: which path is answered by what."""

from concurrent.futures import ThreadPoolExecutor

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route, Router, WebSocketRoute
from starlette.types import ASGIApp

from tools.serve.core import Core
from tools.serve.guard import Guard
from tools.serve.metrics import CONTENT_TYPE
from tools.serve.page.api import PageApi
from tools.serve.page.html import HEADERS, page
from tools.serve.rest.api import RestApi
from tools.serve.streams.sessions import Sessions
from tools.serve.streams.socket import StreamSocket

_METHODS = ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS')


def make_app(core: Core, *, sessions: Sessions, pool: ThreadPoolExecutor) -> ASGIApp:
    """The ASGI application.

    Args:
      core: that answers.
      sessions: of streams.
      pool: whose threads parse and write what is large.
    """

    async def health(_: Request) -> Response:
        """Whether every model has a version that takes requests."""
        return JSONResponse({'ready': core.ready}, 200 if core.ready else 503)

    async def metrics(_: Request) -> Response:
        """Counters in Prometheus's format."""
        return Response(core.metrics.page(core.available()), media_type=CONTENT_TYPE)

    async def root(_: Request) -> Response:
        """The page."""
        return HTMLResponse(page(), headers=HEADERS)

    routes = [
        Route('/', root, methods=['GET']),
        Route('/healthz', health, methods=['GET']),
        Route('/metrics', metrics, methods=['GET']),
        Mount('/page', routes=PageApi(core).routes),
        WebSocketRoute('/stream', StreamSocket(core, sessions).serve),
        Route('/{rest:path}', RestApi(core, pool).answer, methods=_METHODS),
    ]
    # A bare router: the guard turns every error into JSON, which Starlette would do before it.
    return Guard(Router(routes), core=core)
