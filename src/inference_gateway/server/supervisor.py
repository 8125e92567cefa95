"""Several worker processes on one port: started, watched, restarted, reloaded and ended together.

The parent holds the port's sockets, a set for each worker, so that nothing that the kernel accepted is
lost while a worker is replaced. It serves nothing itself, and has neither a loop nor a thread.
"""

import logging
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from math import inf
from types import FrameType
from typing import NoReturn

import msgspec

from inference_gateway.server.listening import CannotServe, Listeners

logger = logging.getLogger("inference_gateway.supervisor")

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
_FIRST_DELAY = 0.5
_LONGEST_DELAY = 30.0
"""Seconds before a worker that ended by itself is started again: doubled each time, up to this."""
_STEADY = 60.0
"""Seconds after which a worker counts as one that ran well."""
_OVERDUE = 10.0
"""Seconds beyond its time after which a worker that does not end is killed."""

_Handler = Callable[[int, FrameType | None], object] | int | None

Work = Callable[[Listeners, int, Callable[[], None]], int]
"""What a worker does: it gets its sockets, a file descriptor that ends with the supervisor, and what to
call once it serves; it returns its exit code."""


class Plan(msgspec.Struct, frozen=True):
    """How workers are to run."""

    work: Work
    drain_timeout: float
    """Seconds that a worker takes to end, at most."""


class Observer(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the supervisor tells how things are."""

    ready: Callable[[], None]
    """All workers serve, at first or after a reload; or a reload came to nothing."""
    reloading: Callable[[], None]
    stopping: Callable[[], None]


class _Worker(msgspec.Struct, eq=False):
    """A process."""

    pid: int
    ready: int
    """File descriptor that becomes readable when it serves."""
    drain_timeout: float
    started: float
    serves: bool = False
    kill_at: float = inf


class _Slot(msgspec.Struct, eq=False):
    """One worker's place: its sockets outlive the processes that serve them."""

    listeners: Listeners
    current: _Worker | None = None
    successor: _Worker | None = None
    """Started by a reload, to take over once every successor serves."""
    delay: float = _FIRST_DELAY
    restart_at: float = inf


class Supervisor:
    """Keeps a worker alive on each set of sockets.

    :param plan: how workers are to run.
    :param renew: called for each reload; says how they are to run from then on. Where it raises
        `CannotServe`, the old workers go on.
    """

    def __init__(
        self, listeners: Sequence[Listeners], plan: Plan, renew: Callable[[], Plan], observer: Observer
    ) -> None:
        self._slots = [_Slot(each) for each in listeners]
        self._plan = plan
        self._renew = renew
        self._next_plan: Plan | None = None
        """What a reload under way leads to."""
        self._observer = observer
        self._retired: list[_Worker] = []
        self._has_served = False
        self._wants_reload = False
        self._stopping = False
        self._exit_code = 0
        # Open for as long as this process lives: workers read its end.
        self._life, self._lifeline = os.pipe()
        self._signals, self._wakeup = socket.socketpair()

    def run(self) -> int:
        """Supervise until told to stop and every worker has ended.

        :returns: exit code; that of a worker which could not start, else 0.
        """
        previous = self._catch_signals()
        try:
            for slot in self._slots:
                slot.current = self._start(slot, self._plan)
            while any(self._workers()):
                self._wait()
                self._heed_signals()
                self._bury()
                self._note_who_serves()
                self._act_in_time()
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in previous.items():
                signal.signal(number, handler)
            self._let_go()
        return self._exit_code

    def _let_go(self) -> None:
        os.close(self._life)
        os.close(self._lifeline)
        self._signals.close()
        self._wakeup.close()

    # Signals

    def _catch_signals(self) -> dict[signal.Signals, _Handler]:
        for end in (self._signals, self._wakeup):
            end.setblocking(False)
        signal.set_wakeup_fd(self._wakeup.fileno(), warn_on_full_buffer=False)
        return {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}

    def _heed_signals(self) -> None:
        try:
            numbers = self._signals.recv(4096)
        except BlockingIOError:
            return
        for number in numbers:
            if number in (signal.SIGTERM, signal.SIGINT):
                self._stop()
            elif number == signal.SIGHUP:
                self._wants_reload = True

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        for worker in self._workers():
            if not worker.serves:
                poll.register(worker.ready, select.POLLIN)
        patience = self._next_deadline() - time.monotonic()
        poll.poll(None if patience == inf else max(0.0, patience) * 1000 + 1)

    def _next_deadline(self) -> float:
        restarts = [slot.restart_at for slot in self._slots]
        return min([inf, *restarts, *(worker.kill_at for worker in self._workers())])

    # Workers

    def _workers(self) -> Iterator[_Worker]:
        for slot in self._slots:
            yield from (worker for worker in (slot.current, slot.successor) if worker is not None)
        yield from self._retired

    def _start(self, slot: _Slot, plan: Plan) -> _Worker:
        ready, tell = os.pipe()
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        pid = os.fork()
        if pid == 0:
            os.close(ready)
            self._become_worker(slot, mask)
            _work(plan.work, slot.listeners, self._life, tell)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(tell)
        return _Worker(pid, ready, plan.drain_timeout, time.monotonic())

    def _become_worker(self, slot: _Slot, mask: set[int | signal.Signals]) -> None:
        """Let go of what is the supervisor's, in the child."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # A terminal sends these to the whole group; it is the supervisor that says what they mean.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.close(self._lifeline)
        self._signals.close()
        self._wakeup.close()
        for worker in self._workers():
            os.close(worker.ready)
        for other in self._slots:
            for listener in other.listeners:
                # Held open here, it would take connections that nobody accepts once its own worker ended.
                if other is not slot and listener not in slot.listeners:
                    listener.close()

    def _bury(self) -> None:
        """Take leave of every child that ended: as process 1, of those of others too."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            worker = next((each for each in self._workers() if each.pid == pid), None)
            if worker is not None:
                # It may have served and ended since this was last looked at.
                self._read_readiness(worker)
                os.close(worker.ready)
                self._lose(worker, os.waitstatus_to_exitcode(status))

    def _lose(self, worker: _Worker, code: int) -> None:
        end = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        if worker in self._retired:
            self._retired.remove(worker)
            if code:
                logger.warning("old worker %d %s", worker.pid, end)
            return
        slot = next(each for each in self._slots if worker in (each.current, each.successor))
        if worker is slot.successor:
            slot.successor = None
            if not self._stopping:
                logger.error("reload: the new worker %d %s; the old ones go on", worker.pid, end)
                self._give_reload_up()
        else:
            slot.current = None
            if not self._stopping:
                self._replace(slot, worker, end, code)

    def _replace(self, slot: _Slot, worker: _Worker, end: str, code: int) -> None:
        if self._has_served or worker.serves:
            self._restart_later(slot, worker, end)
        else:
            logger.error("worker %d cannot start: it %s", worker.pid, end)
            self._exit_code = code if code > 0 else 1
            self._stop()

    def _restart_later(self, slot: _Slot, worker: _Worker, end: str) -> None:
        now = time.monotonic()
        if now - worker.started >= _STEADY:
            slot.delay = _FIRST_DELAY
        logger.error("worker %d %s; starting another in %g s", worker.pid, end, slot.delay)
        slot.restart_at = now + slot.delay
        slot.delay = min(2 * slot.delay, _LONGEST_DELAY)

    def _note_who_serves(self) -> None:
        for worker in self._workers():
            if not worker.serves:
                self._read_readiness(worker)
        if self._stopping:
            return
        if not self._has_served and all(slot.current and slot.current.serves for slot in self._slots):
            self._has_served = True
            self._observer.ready()
        if self._next_plan and all(slot.successor and slot.successor.serves for slot in self._slots):
            self._hand_over(self._next_plan)

    def _read_readiness(self, worker: _Worker) -> None:
        if not worker.serves and select.select([worker.ready], [], [], 0)[0]:
            worker.serves = os.read(worker.ready, 1) != b""

    def _act_in_time(self) -> None:
        now = time.monotonic()
        for slot in self._slots:
            if now >= slot.restart_at:
                slot.restart_at = inf
                slot.current = self._start(slot, self._plan)
                logger.info("started worker %d", slot.current.pid)
        for worker in self._workers():
            if now >= worker.kill_at:
                logger.error("worker %d does not end: killing it", worker.pid)
                worker.kill_at = inf
                os.kill(worker.pid, signal.SIGKILL)
        if self._wants_reload and self._has_served and not self._stopping and not self._next_plan:
            self._wants_reload = False
            self._reload()

    # Reload

    def _reload(self) -> None:
        self._observer.reloading()
        try:
            self._next_plan = self._renew()
        except CannotServe as error:
            logger.error("reload: the settings cannot be used, the old ones stay in use: %s", error)
            self._observer.ready()
            return
        for slot in self._slots:
            slot.successor = self._start(slot, self._next_plan)

    def _hand_over(self, plan: Plan) -> None:
        """Let the successors take over: the old ones end when their last connection does."""
        self._plan, self._next_plan = plan, None
        for slot in self._slots:
            if slot.current is not None:
                self._retire(slot.current)
            slot.current, slot.successor = slot.successor, None
            slot.restart_at, slot.delay = inf, _FIRST_DELAY
        logger.info("reloaded: new workers took over, old ones end with their last connection")
        self._observer.ready()

    def _give_reload_up(self) -> None:
        if self._next_plan is None:
            return
        self._next_plan = None
        for slot in self._slots:
            if slot.successor is not None:
                self._retire(slot.successor)
                slot.successor = None
        self._observer.ready()

    def _retire(self, worker: _Worker) -> None:
        self._retired.append(worker)
        if worker.serves:
            os.kill(worker.pid, signal.SIGQUIT)
        else:
            # It does not know yet what to do about signals.
            os.kill(worker.pid, signal.SIGTERM)

    # The end

    def _stop(self) -> None:
        """End all workers; asked again, at once."""
        patience = 0.0 if self._stopping else inf
        if not self._stopping:
            self._stopping = True
            logger.info("shutting down all workers")
            self._observer.stopping()
            for slot in self._slots:
                slot.restart_at = inf
                for listener in slot.listeners:
                    listener.close()
        for worker in self._workers():
            worker.kill_at = time.monotonic() + min(patience, worker.drain_timeout) + _OVERDUE
            os.kill(worker.pid, signal.SIGTERM)


def _work(work: Work, listeners: Listeners, life: int, tell: int) -> NoReturn:
    """Be a worker, and end with the process: what called the supervisor is not the worker's to finish."""

    def serves() -> None:
        os.write(tell, b"1")
        os.close(tell)

    code = 1
    try:
        code = work(listeners, life, serves)
    except BaseException:
        # The process ends below, so that nobody else can tell why.
        logger.critical("a worker failed", exc_info=True)
        raise
    finally:
        logging.shutdown()
        os._exit(code)
