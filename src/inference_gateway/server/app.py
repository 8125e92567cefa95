"""The application: a request in, a response out. Knows no socket."""

import itertools
import logging
import os
import re
import time
from functools import partial
from time import perf_counter

from inference_gateway.server.access_log import AccessLog, trace_id_of
from inference_gateway.server.api.answers import error_response
from inference_gateway.server.api.cors import CORS
from inference_gateway.server.api.gateway import Gateway
from inference_gateway.server.api.router import Router
from inference_gateway.server.api.routes import INFERENCE_PATHS, page_paths, public_paths, routes_of
from inference_gateway.server.errors import GatewayError, IdentityUnavailable, Overloaded
from inference_gateway.server.inference import InferenceRequest
from inference_gateway.server.outcome import Outcome
from inference_gateway.server.spans import Trace
from inference_gateway.server.telemetry.board import Board, Mishap
from inference_gateway.server.telemetry.recorder import Recorder
from inference_gateway.server.transport.messages import Ended, Request, Response

logger = logging.getLogger("inference_gateway.app")

_SANE_ID = re.compile(rb"[A-Za-z0-9._:\-]{1,128}")


class Application:
    """Finds the endpoint, names the request, turns errors into answers, hears how each request ended."""

    def __init__(self, gateway: Gateway, cors: CORS | None = None, access: AccessLog | None = None) -> None:
        self._access = access
        self.gateway = gateway
        self._cors = cors
        routes = routes_of(gateway)
        self._router = Router(routes)
        self._public_paths = public_paths(routes)
        self._untraced = self._public_paths | page_paths(routes)
        self._guard = gateway.guard
        self._sites = gateway.sites
        self._tracer = gateway.tracer
        self._counts = False
        self._listeners = self._who_hears_of_ends()
        self._all_listeners = [*self._listeners, *self._who_hears_of_trouble()]
        # Unique across processes by its beginning, within one by its end.
        self._id_prefix = f"req_{os.urandom(8).hex()}".encode("ascii")
        self._counter = itertools.count(1)

    async def __call__(self, request: Request) -> Response:
        """Answer a request. Raises nothing but cancellation."""
        request_id = self._identify(request)
        refusal = request.refusal
        if self._tracer is not None and refusal is None and request.path not in self._untraced:
            request.trace = self._tracer.begin(request)
        if self._access is not None:
            self._access.began(request)
        try:
            response = (
                self._preflight(request)
                if refusal is None
                else self._refusal(refusal, request, request.request_id)
            )
            if response is None:
                if self._sites is not None:
                    self._sites.check(request)
                elif self._guard is not None and request.path not in self._public_paths:
                    # Before the path is looked for: who is not known learns nothing of what there is.
                    request.principal = self._guard.recall(request) or await self._guard.admit(request)
                response = await self._router.find(request)(self.gateway, request)
        except GatewayError as error:
            response = self._refusal(error, request, request.request_id)
        except Exception:
            logger.exception(
                "request %s%s failed", request.request_id, _caller(request), extra=_fields(request)
            )
            failure = GatewayError("the gateway failed on this request")
            response = self._refusal(failure, request, request.request_id)
        request.status = response.status
        response.headers.append((b"x-request-id", request_id))
        if self._cors is not None:
            response.headers += self._cors.fields(request)
        return response

    def reject(self, error: GatewayError) -> Response:
        """Answer what was not even a request."""
        request_id = self._new_id()
        response = self._refusal(error, None, request_id.decode("ascii"))
        response.headers.append((b"x-request-id", request_id))
        return response

    def ended(self, request: Request, outcome: Outcome, problem: str) -> None:
        """Take note of how a request ended: the one place that hears of each, once. Raises nothing."""
        if not self._counts and self.gateway.measuring is not None:
            self._count_ends()
        # Each for itself: one that fails keeps neither the others from hearing nor the connection from
        # going on.
        for listener in self._listeners if outcome is Outcome.COMPLETE else self._all_listeners:
            try:
                listener(request, outcome, problem)
            except Exception:
                logger.exception("the end of request %s was not noted", request.request_id or "(unread)")

    def _count_ends(self) -> None:
        """Count from now on, for good: what began while somebody looked may end when nobody does any more."""
        self._counts = True
        recorder = self.gateway.recorder
        if recorder is not None:
            count = partial(_count, self.gateway, recorder)
            self._listeners = [count, *self._listeners]
            self._all_listeners = [count, *self._all_listeners]

    def _who_hears_of_ends(self) -> list[Ended]:
        listeners: list[Ended] = []
        if self._access is not None:
            listeners.append(self._access.ended)
        if self._tracer is not None:
            listeners.append(self._end_trace)
        return listeners

    def _who_hears_of_trouble(self) -> list[Ended]:
        return [_warn] if self.gateway.board is None else [partial(_show, self.gateway.board), _warn]

    def _end_trace(self, request: Request, outcome: Outcome, problem: str) -> None:
        if self._tracer is not None and isinstance(request.trace, Trace):
            self._tracer.end(request, request.trace, outcome, route=self._router.template(request.path))

    def _refusal(self, error: GatewayError, request: Request | None, request_id: str) -> Response:
        recorder, board = self.gateway.recorder, self.gateway.board
        response = error_response(error)
        # What a provider did is counted as its own.
        is_ours = error.outcome is Outcome.REJECTED
        if recorder is not None and is_ours:
            recorder.refused(error.code)
        if isinstance(error, Overloaded | IdentityUnavailable):
            # What is too much costs as little as can be, and an issuer that is down concerns every request:
            # whoever turns them away says so now and then.
            response.problem = ""
        elif board is not None and is_ours:
            board.refused(
                _mishap(
                    request,
                    error.outcome,
                    request_id=request_id,
                    status=error.status,
                    code=error.code,
                    message=error.message,
                )
            )
        return response

    def _preflight(self, request: Request) -> Response | None:
        return self._cors.preflight(request) if self._cors is not None else None

    def _identify(self, request: Request) -> bytes:
        """Keep the client's own id if it is sane, else make one."""
        given = request.header(b"x-request-id")
        request_id = given if given is not None and _SANE_ID.fullmatch(given) else self._new_id()
        request.request_id = request_id.decode("ascii")
        return request_id

    def _new_id(self) -> bytes:
        return b"%b%08x" % (self._id_prefix, next(self._counter))


def _count(gateway: Gateway, recorder: Recorder, request: Request, outcome: Outcome, problem: str) -> None:
    """Count an inference request, or one that was turned away before it was known to be one."""
    asked = request.inference or request.raw
    if asked is None:
        if gateway.measuring is not None and request.method == "POST" and request.path in INFERENCE_PATHS:
            recorder.turned_away(INFERENCE_PATHS[request.path], outcome)
    elif asked.measurement is not None:
        recorder.ended(asked, asked.measurement, outcome, now=perf_counter())


def _show(board: Board, request: Request, outcome: Outcome, problem: str) -> None:
    """Put on the board what went wrong: who leaves does no harm, and what was refused was noted then."""
    if outcome not in (Outcome.CLIENT_GONE, Outcome.REJECTED):
        status = request.status if request.status >= 400 else 0
        board.failed(_mishap(request, outcome, status=status, message=problem))


def _warn(request: Request, outcome: Outcome, problem: str) -> None:
    if not problem:
        return
    asked = request.inference or request.raw
    provider = f" to {asked.provider_id}" if asked is not None and asked.provider_id else ""
    name, caller = request.request_id or "(unread)", _caller(request)
    message = "request %s%s%s: %s: %s"
    logger.warning(message, name, caller, provider, outcome.value, problem, extra=_fields(request))


def _fields(request: Request) -> dict[str, object]:
    """What a line of the log says of a request beside its message."""
    trace_id = trace_id_of(request)
    fields = {"request_id": request.request_id, **({"trace_id": trace_id} if trace_id else {})}
    return {"fields": fields}


def _mishap(
    request: Request | None,
    outcome: Outcome,
    *,
    status: int,
    message: str,
    request_id: str = "",
    code: str = "",
) -> Mishap:
    """Note what is known of a request that did not end well, and nothing of what it says."""
    asked = request.inference or request.raw if request is not None else None
    return Mishap(
        at=time.time(),
        request_id=request_id or (request.request_id if request is not None else ""),
        path=request.path.decode("latin-1") if request is not None else "",
        outcome=outcome.value,
        status=status,
        code=code,
        provider=asked.provider_id if asked is not None else "",
        model=asked.model if isinstance(asked, InferenceRequest) else "",
        message=message,
    )


def _caller(request: Request) -> str:
    """Who asked, for the log: the subject and nothing else."""
    return f" of {request.principal.subject!r}" if request.principal is not None else ""
