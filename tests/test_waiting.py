"""The waiters, each behaviour in every world: threads, asyncio, uvloop, trio."""

from __future__ import annotations

import asyncio
import fcntl
import inspect
import math
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import pytest
import trio
import trio.testing

from psycopg3 import errors
from psycopg3.waiting import (
    STOCK,
    TICK,
    Ready,
    Wait,
    WaitGen,
    tick_within,
    wait_async,
    wait_select,
    wait_trio,
)
from tests.marks import needs_uvloop

Pair = tuple[socket.socket, socket.socket]


class Drive(Protocol):
    def __call__(self, gen: WaitGen[Any], interval: float | None = ...) -> Any: ...


def drive_asyncio(gen: WaitGen[Any], interval: float | None = 0.1) -> Any:
    return asyncio.run(wait_async(gen, interval))


def drive_uvloop(gen: WaitGen[Any], interval: float | None = 0.1) -> Any:
    import uvloop

    return uvloop.run(wait_async(gen, interval))


def drive_trio(gen: WaitGen[Any], interval: float | None = 0.1) -> Any:
    return trio.run(wait_trio, gen, interval)


WORLDS: dict[str, Drive] = {
    "threads": wait_select,
    "asyncio": drive_asyncio,
    "uvloop": drive_uvloop,
    "trio": drive_trio,
}


UVLOOP = pytest.param("uvloop", marks=needs_uvloop)


@pytest.fixture(params=[UVLOOP if name == "uvloop" else name for name in WORLDS])
def drive(request: pytest.FixtureRequest) -> Drive:
    """Runs a generator to its end in one of the worlds."""
    return WORLDS[request.param]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two connected sockets: ours, and the peer's."""
    ours, peer = socket.socketpair()
    ours.setblocking(False)
    with ours, peer:
        yield ours, peer


def once(fd: int, want: Wait) -> WaitGen[int]:
    """Wait, and return what was heard."""
    return (yield fd, want)


def listen(fd: int, want: Wait, ticks: int = 100) -> WaitGen[list[int]]:
    """Wait until something is heard, or silence that many times; return all that was heard."""
    heard: list[int] = []
    while len(heard) < ticks and not any(heard):
        heard.append((yield fd, want))
    return heard


def fill(sock: socket.socket) -> None:
    """Send until the socket takes no more."""
    with pytest.raises(BlockingIOError):
        while True:
            sock.send(b"x" * 65536)


def later(seconds: float, func: Callable[..., object], *args: object) -> threading.Timer:
    timer = threading.Timer(seconds, func, args)
    timer.daemon = True
    timer.start()
    return timer


# ---- what is heard ----


def test_value_without_waiting(drive: Drive) -> None:
    def gen() -> WaitGen[str]:
        yield from ()
        return "done"

    assert drive(gen()) == "done"


def test_readable(drive: Drive, pair: Pair) -> None:
    ours, peer = pair
    peer.send(b"x")
    assert drive(once(ours.fileno(), Wait.R)) == Ready.R


def test_readable_later(drive: Drive, pair: Pair) -> None:
    ours, peer = pair
    later(0.05, peer.send, b"x")
    assert drive(once(ours.fileno(), Wait.R), 5.0 if drive is not wait_select else 0.1) == Ready.R


def test_writable(drive: Drive, pair: Pair) -> None:
    assert drive(once(pair[0].fileno(), Wait.W)) == Ready.W


def test_writable_later(drive: Drive, pair: Pair) -> None:
    ours, peer = pair
    fill(ours)
    assert drive(once(ours.fileno(), Wait.W), 0.01) == Ready.NONE
    later(0.05, peer.recv, 10_000_000)
    assert drive(listen(ours.fileno(), Wait.W))[-1] == Ready.W


def test_either_direction(drive: Drive, pair: Pair) -> None:
    ours, peer = pair
    assert drive(once(ours.fileno(), Wait.RW)) == Ready.W
    fill(ours)
    assert drive(once(ours.fileno(), Wait.RW), 0.01) == Ready.NONE
    peer.send(b"x")
    assert drive(once(ours.fileno(), Wait.RW)) == Ready.R


def test_both_directions_at_once(drive: Drive, pair: Pair) -> None:
    ours, peer = pair
    peer.send(b"x")
    assert drive(once(ours.fileno(), Wait.RW)) == Ready.RW


def test_only_what_was_asked_for(drive: Drive, pair: Pair) -> None:
    ours, peer = pair
    peer.send(b"x")
    assert drive(once(ours.fileno(), Wait.W)) == Ready.W
    fill(ours)
    assert drive(once(ours.fileno(), Wait.W), 0.01) == Ready.NONE


def test_many_waits_of_one_conversation(drive: Drive, pair: Pair) -> None:
    ours, peer = pair

    def talk() -> WaitGen[list[int]]:
        fd = ours.fileno()
        heard = []
        for _ in range(3):
            heard.append((yield fd, Wait.W))
            peer.send(b"x")
            heard.append((yield fd, Wait.R))
            ours.recv(1)
        return heard

    assert drive(talk()) == [Ready.W, Ready.R] * 3


def test_hang_up_is_ready(drive: Drive, pair: Pair) -> None:
    ours, peer = pair
    peer.close()
    assert drive(once(ours.fileno(), Wait.R)) & Ready.R
    assert drive(once(ours.fileno(), Wait.W)) & Ready.W


def test_refused_connection_is_ready(drive: Drive) -> None:
    with socket.socket() as nobody, socket.socket() as ours:
        nobody.bind(("127.0.0.1", 0))
        ours.setblocking(False)
        ours.connect_ex(nobody.getsockname())
        assert drive(once(ours.fileno(), Wait.W)) & Ready.W
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def test_high_descriptor_number(drive: Drive, pair: Pair) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 2048:
        resource.setrlimit(resource.RLIMIT_NOFILE, (2048, hard))
    high = fcntl.fcntl(pair[0].fileno(), fcntl.F_DUPFD, 1500)
    try:
        pair[1].send(b"x")
        assert drive(once(high, Wait.R)) == Ready.R
        assert drive(once(high, Wait.RW)) == Ready.RW
    finally:
        os.close(high)


def test_number_used_again_between_waits(drive: Drive, pair: Pair) -> None:
    """libpq closes a socket and opens the next under the same number, when it tries hosts."""
    old, old_peer = socket.socketpair()
    old_peer.send(b"x")

    def reconnect() -> WaitGen[list[int]]:
        heard = [(yield old.fileno(), Wait.R)]
        fd = old.detach()
        os.close(fd)
        heard.append(os.dup2(pair[0].fileno(), fd))
        try:
            heard.append((yield fd, Wait.R))
            pair[1].send(b"x")
            heard.append((yield fd, Wait.R))
        finally:
            os.close(fd)
        return [heard[0], *heard[2:]]

    with old_peer:
        assert drive(reconnect(), 0.02) == [Ready.R, Ready.NONE, Ready.R]


def test_number_used_again_during_a_wait(drive: Drive, pair: Pair) -> None:
    old, old_peer = socket.socketpair()
    fd = old.detach()
    pair[1].send(b"x")
    timer = later(0.05, os.dup2, pair[0].fileno(), fd)
    try:
        assert drive(listen(fd, Wait.R), 0.1)[-1] == Ready.R
    finally:
        timer.join()
        os.close(fd)
        old_peer.close()


# ---- silence ----


def test_silence_is_told(drive: Drive, pair: Pair) -> None:
    start = time.monotonic()
    assert drive(listen(pair[0].fileno(), Wait.R, 3), 0.02) == [Ready.NONE] * 3
    assert time.monotonic() - start >= 0.05


@pytest.mark.parametrize("want", Wait)
def test_waiting_is_not_busy(drive: Drive, pair: Pair, want: Wait) -> None:
    ours, _ = pair
    if want & Wait.W:
        fill(ours)

    def gen() -> WaitGen[tuple[int, float]]:
        end = time.monotonic() + 0.5
        cpu, ticks = time.process_time(), 0
        while time.monotonic() < end:
            assert (yield ours.fileno(), want) == Ready.NONE
            ticks += 1
        return ticks, time.process_time() - cpu

    ticks, cpu = drive(gen(), 0.1)
    assert 1 <= ticks <= 6
    assert cpu < 0.2


@pytest.mark.parametrize("name", ["asyncio", UVLOOP, "trio"])
def test_no_ticks_when_none_are_needed(name: str, pair: Pair) -> None:
    timer = later(0.3, pair[1].send, b"x")
    assert WORLDS[name](listen(pair[0].fileno(), Wait.R), None) == [Ready.R]
    timer.join()


@pytest.mark.parametrize("interval", [None, 10.0])
def test_threads_tick_for_the_sake_of_signals(pair: Pair, interval: float | None) -> None:
    start = time.monotonic()
    assert wait_select(listen(pair[0].fileno(), Wait.R, 2), interval) == [Ready.NONE] * 2
    assert 0.19 <= time.monotonic() - start < 2


@pytest.mark.parametrize("interval", [0, -1, -0.001, math.nan])
def test_interval_must_be_positive(drive: Drive, pair: Pair, interval: float) -> None:
    gen = once(pair[0].fileno(), Wait.W)
    with pytest.raises(ValueError, match="interval"):
        drive(gen, interval)
    assert inspect.getgeneratorstate(gen) == inspect.GEN_CREATED


# ---- what goes wrong ----


class Boom(Exception):
    pass


def test_exception_of_the_generator_passes(drive: Drive, pair: Pair) -> None:
    boom = Boom()

    def at_once() -> WaitGen[None]:
        yield from ()
        raise boom

    def after_a_wait() -> WaitGen[None]:
        yield pair[0].fileno(), Wait.W
        raise boom

    for gen in (at_once(), after_a_wait()):
        with pytest.raises(Boom) as caught:
            drive(gen)
        assert caught.value is boom


@pytest.mark.parametrize("kind", [OSError, ValueError, TypeError, NotImplementedError])
def test_exception_of_the_generator_is_not_taken_for_ours(
    drive: Drive, pair: Pair, kind: type[Exception]
) -> None:
    def gen() -> WaitGen[None]:
        yield pair[0].fileno(), Wait.W
        raise kind("mine")

    with pytest.raises(kind, match=r"^mine$"):
        drive(gen())


@pytest.mark.parametrize("want", Wait)
def test_descriptor_closed_before(drive: Drive, want: Wait) -> None:
    ours, peer = socket.socketpair()

    def gen() -> WaitGen[None]:
        fd = ours.fileno()
        ours.close()  # here, lest the event loop's own descriptors take the number
        yield fd, want

    made = gen()
    with peer, pytest.raises(errors.OperationalError, match="not open"):
        drive(made)
    assert inspect.getgeneratorstate(made) == inspect.GEN_SUSPENDED


@pytest.mark.parametrize("want", Wait)
def test_descriptor_closed_during(drive: Drive, want: Wait) -> None:
    ours, peer = socket.socketpair()
    ours.setblocking(False)
    fill(ours)
    fd = ours.detach()
    timer = later(0.03, os.close, fd)
    ticks = 0

    def gen() -> WaitGen[None]:
        nonlocal ticks
        while True:
            assert (yield fd, want) == Ready.NONE
            ticks += 1

    with peer, pytest.raises(errors.OperationalError, match="not open"):
        drive(gen(), 0.05)
    timer.join()
    assert ticks <= 2


@pytest.mark.parametrize("fd", [-1, 1_000_000])
def test_descriptor_that_never_was(drive: Drive, fd: int) -> None:
    with pytest.raises(errors.OperationalError, match=f"{fd} is not open"):
        drive(once(fd, Wait.R))


@pytest.mark.parametrize("name", ["asyncio", UVLOOP, "trio"])
def test_descriptor_that_cannot_be_watched(name: str, tmp_path: Path) -> None:
    with (
        (tmp_path / "plain").open("w") as file,
        pytest.raises(errors.OperationalError, match="cannot wait"),
    ):
        WORLDS[name](once(file.fileno(), Wait.R))


@pytest.mark.parametrize(
    "wrong",
    [None, 5, (5,), (5, Wait.R, 1), (0, 0), (0, 4), (0, None), ("0", 1), (2**40, 1), (0, [1])],
    ids=str,
)
def test_what_the_generator_yields_is_checked(drive: Drive, wrong: Any) -> None:
    def gen() -> WaitGen[None]:
        yield wrong

    made = gen()
    with pytest.raises(errors.InterfaceError, match="yielded"):
        drive(made)
    assert inspect.getgeneratorstate(made) == inspect.GEN_SUSPENDED


def test_it_is_checked_after_a_good_wait_too(drive: Drive, pair: Pair) -> None:
    def gen() -> WaitGen[None]:
        yield pair[0].fileno(), Wait.W
        yield pair[0].fileno(), 7  # type: ignore[misc]

    with pytest.raises(errors.InterfaceError, match="7"):
        drive(gen())


def test_loop_without_descriptors() -> None:
    class Proactor(asyncio.SelectorEventLoop):
        def add_reader(self, *args: Any) -> Any:  # type: ignore[override]
            raise NotImplementedError

        remove_reader = remove_writer = add_writer = add_reader

    with (
        asyncio.Runner(loop_factory=Proactor) as runner,
        pytest.raises(errors.InterfaceError, match=r"Proactor.*SelectorEventLoop"),
    ):
        runner.run(wait_async(once(0, Wait.R)))


# ---- signals ----


@pytest.fixture
def on_signal() -> Iterator[None]:
    """SIGUSR1 raises Boom."""

    def handler(*_: object) -> None:
        raise Boom

    before = signal.signal(signal.SIGUSR1, handler)
    yield
    signal.signal(signal.SIGUSR1, before)


@pytest.mark.usefixtures("on_signal")
def test_handler_that_raises(pair: Pair) -> None:
    gen = listen(pair[0].fileno(), Wait.R)
    later(0.05, os.kill, os.getpid(), signal.SIGUSR1)
    start = time.monotonic()
    with pytest.raises(Boom):
        wait_select(gen)
    assert time.monotonic() - start < 1
    assert inspect.getgeneratorstate(gen) == inspect.GEN_SUSPENDED


@pytest.mark.usefixtures("on_signal")
def test_signal_that_interrupts_no_system_call(pair: Pair) -> None:
    """Another thread gets it: nothing ends the sleep of the main thread, which has the handler."""
    gen = listen(pair[0].fileno(), Wait.R)

    def send() -> None:
        time.sleep(0.05)
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        time.sleep(1.5)

    threading.Thread(target=send, daemon=True).start()
    start = time.monotonic()
    with pytest.raises(Boom):
        wait_select(gen, None)
    assert time.monotonic() - start < 1


def test_handler_that_returns_does_not_end_the_wait(pair: Pair) -> None:
    caught = []
    before = signal.signal(signal.SIGUSR1, lambda *_: caught.append(1))
    try:
        later(0.03, os.kill, os.getpid(), signal.SIGUSR1)
        later(0.15, pair[1].send, b"x")
        assert wait_select(listen(pair[0].fileno(), Wait.R))[-1] == Ready.R
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert caught == [1]


@pytest.mark.parametrize("interval", [0.1, None])
def test_ctrl_c(drive: Drive, pair: Pair, interval: float | None) -> None:
    gen = listen(pair[0].fileno(), Wait.R)
    later(0.1, os.kill, os.getpid(), signal.SIGINT)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        drive(gen, interval)
    assert time.monotonic() - start < 1
    assert inspect.getgeneratorstate(gen) == inspect.GEN_SUSPENDED


# ---- cancellation ----


@pytest.mark.parametrize("library", ["asyncio", UVLOOP])
@pytest.mark.parametrize("want", Wait)
@pytest.mark.parametrize("interval", [0.1, None])
def test_cancelled_asyncio(library: str, want: Wait, interval: float | None, pair: Pair) -> None:
    ours, peer = pair
    fill(ours)
    gen = listen(ours.fileno(), want)

    async def main() -> None:
        task = asyncio.create_task(wait_async(gen, interval))
        await asyncio.sleep(0.02)
        task.cancel("stop")
        with pytest.raises(asyncio.CancelledError, match="stop"):
            await task
        # Readable and writable now: a registration left behind would keep the loop busy.
        peer.send(b"x")
        peer.recv(10_000_000)
        cpu = time.process_time()
        await asyncio.sleep(0.2)
        assert time.process_time() - cpu < 0.1

    import_module(library).run(main())
    assert inspect.getgeneratorstate(gen) == inspect.GEN_SUSPENDED


@pytest.mark.parametrize("want", [Wait.R, Wait.W])
def test_another_may_wait_for_the_other_direction(want: Wait, pair: Pair) -> None:
    async def main() -> int:
        other = asyncio.create_task(wait_async(listen(pair[0].fileno(), Wait(3 - want)), None))
        await asyncio.sleep(0)
        await wait_async(once(pair[0].fileno(), want), 0.01)
        pair[1].send(b"x")
        async with asyncio.timeout(5):
            return (await other)[-1]

    assert asyncio.run(main()) == 3 - want


@pytest.mark.parametrize("left", [Wait.R, Wait.W, Wait.RW])
def test_what_was_left_on_a_closed_descriptor(left: Wait, pair: Pair) -> None:
    """Its number comes back, and is heard, on asyncio: the loop of somebody careless."""

    async def main() -> int:
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        number = near.fileno()
        if left & Wait.R:
            loop.add_reader(number, print)
        if left & Wait.W:
            loop.add_writer(number, print)
        near.close()
        os.dup2(pair[0].fileno(), number)
        try:
            pair[1].send(b"x")
            return await wait_async(once(number, Wait.R))
        finally:
            os.close(number)
            far.close()

    assert asyncio.run(main()) == Ready.R


def test_nothing_stays_registered_with_asyncio(pair: Pair) -> None:
    async def main() -> None:
        watched = asyncio.get_running_loop()._selector.get_map()  # type: ignore[attr-defined]
        before = len(watched)
        await wait_async(once(pair[0].fileno(), Wait.W))
        await wait_async(once(pair[0].fileno(), Wait.RW), None)
        await wait_async(once(pair[0].fileno(), Wait.R), 0.01)
        with pytest.raises(asyncio.TimeoutError):
            async with asyncio.timeout(0.02):
                await wait_async(listen(pair[0].fileno(), Wait.R))
        assert len(watched) == before

    asyncio.run(main())


def test_cancelled_in_the_turn_it_is_heard(pair: Pair) -> None:
    """The callback of a cancelled wait comes too late and does no harm."""
    ours, peer = pair

    async def main() -> list[object]:
        complaints: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        task = asyncio.create_task(wait_async(once(ours.fileno(), Wait.RW), None))
        loop.call_soon(lambda: loop.call_soon(task.cancel))
        peer.send(b"x")
        with pytest.raises(asyncio.CancelledError):
            await task
        return complaints

    for _ in range(50):
        assert asyncio.run(main()) == []


@pytest.mark.parametrize("want", Wait)
@pytest.mark.parametrize("interval", [0.1, None])
@pytest.mark.parametrize("epoll", [True, False])
def test_cancelled_trio(
    want: Wait, interval: float | None, epoll: bool, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, _ = pair
    fill(ours)
    gen = listen(ours.fileno(), want)

    async def main() -> None:
        if not epoll:
            monkeypatch.delattr(select, "epoll")
        passed: BaseException | None = None
        with trio.move_on_after(0.05) as scope:
            try:
                await wait_trio(gen, interval)
            except BaseException as ex:
                passed = ex
                raise
        assert isinstance(passed, trio.Cancelled)
        assert scope.cancelled_caught
        io = trio.lowlevel.current_statistics().io_statistics
        assert getattr(io, "tasks_waiting_read", 0) <= 1  # trio's own wake-up

    trio.run(main)
    assert inspect.getgeneratorstate(gen) == inspect.GEN_SUSPENDED


class Counter(trio.abc.Instrument):
    """Counts the tasks that are started, and how often the one that watches lets others run."""

    def __init__(self) -> None:
        self.spawned = self.steps = 0
        self.mine = trio.lowlevel.current_task()

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        self.spawned += 1

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps += task is self.mine


def test_trio_is_cancelled_before_the_first_step(pair: Pair) -> None:
    gen = once(pair[0].fileno(), Wait.W)

    async def main() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await wait_trio(gen)
        assert scope.cancelled_caught

    trio.run(main)
    assert inspect.getgeneratorstate(gen) == inspect.GEN_CREATED


def test_trio_result_is_not_lost_to_a_cancellation() -> None:
    """What is done without a wait lets others run, but is not a cancel point."""

    async def main() -> None:
        with trio.CancelScope() as scope:

            def gen() -> WaitGen[str]:
                yield from ()
                scope.cancel()
                return "done"

            counter = Counter()
            trio.lowlevel.add_instrument(counter)
            assert await wait_trio(gen()) == "done"
            assert counter.steps == 1
        assert not scope.cancelled_caught

    trio.run(main)


# ---- trio's ways ----


@pytest.mark.parametrize("want", Wait)
@pytest.mark.parametrize("interval", [0.1, None])
def test_trio_starts_no_task(want: Wait, interval: float | None, pair: Pair) -> None:
    pair[1].send(b"x")

    async def main() -> None:
        counter = Counter()
        trio.lowlevel.add_instrument(counter)
        assert await wait_trio(once(pair[0].fileno(), want), interval) == int(want)
        assert counter.spawned == 0

    trio.run(main)


@pytest.mark.parametrize("want", Wait)
def test_trio_sets_no_timer(want: Wait, pair: Pair) -> None:
    ours, _ = pair
    fill(ours)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait_trio, once(ours.fileno(), want), None)
            await trio.testing.wait_all_tasks_blocked()
            stats = trio.lowlevel.current_statistics()
            nursery.cancel_scope.cancel()
        assert stats.seconds_to_next_deadline == math.inf

    trio.run(main)


@pytest.mark.parametrize("want", [Wait.R, Wait.W])
def test_trio_told_of_a_closing_descriptor(want: Wait, pair: Pair) -> None:
    fill(pair[0])

    async def wait() -> None:
        with pytest.raises(errors.OperationalError, match="not open"):
            await wait_trio(once(pair[0].fileno(), want), None)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            trio.lowlevel.notify_closing(pair[0])

    trio.run(main)


def test_trio_without_epoll(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, peer = pair

    async def main() -> None:
        monkeypatch.delattr(select, "epoll")
        fd = ours.fileno()
        assert await wait_trio(once(fd, Wait.RW)) == Ready.W
        fill(ours)
        assert await wait_trio(once(fd, Wait.RW), 0.01) == Ready.NONE
        peer.send(b"x")
        assert await wait_trio(once(fd, Wait.RW)) == Ready.R
        assert await wait_trio(once(fd, Wait.RW), None) == Ready.R
        ours.close()
        with pytest.raises(errors.OperationalError, match="not open"):
            await wait_trio(once(fd, Wait.RW))

    trio.run(main)


# ---- threads without poll ----


@pytest.fixture
def no_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(select, "poll")


@pytest.mark.usefixtures("no_poll")
def test_select(pair: Pair) -> None:
    ours, peer = pair
    fd = ours.fileno()
    assert wait_select(once(fd, Wait.R), 0.01) == Ready.NONE
    assert wait_select(once(fd, Wait.RW)) == Ready.W
    peer.send(b"x")
    assert wait_select(once(fd, Wait.R)) == Ready.R
    assert wait_select(once(fd, Wait.RW)) == Ready.RW
    ours.close()
    with pytest.raises(errors.OperationalError, match="not open"):
        wait_select(once(fd, Wait.R))
    with pytest.raises(errors.OperationalError, match="-1 is not open"):
        wait_select(once(-1, Wait.R))
    with pytest.raises(errors.InterfaceError, match="yielded"):
        wait_select(once(0, 0))  # type: ignore[arg-type]


@pytest.mark.usefixtures("no_poll")
def test_select_has_no_room() -> None:
    with pytest.raises(errors.OperationalError, match="open fewer"):
        wait_select(once(5000, Wait.R))


# ---- waiters of one's own ----

GUIDE = Path(__file__).parents[1] / "docs" / "guide" / "waiting.rst"


def sample(name: str) -> str:
    """The code block of the guide with this caption."""
    text = GUIDE.read_text()
    block = text.split(f"   :caption: {name}\n", 1)[1]
    lines = []
    for line in block.splitlines():
        if line and not line.startswith("   "):
            break
        lines.append(line)
    return textwrap.dedent("\n".join(lines))


def run_script(code: str, dsn: str | None = None) -> str:
    """Run it in a process of its own, which has the repository and perhaps a server."""
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
    if dsn is not None:
        from psycopg3.conninfo import conninfo_to_dict

        env |= {
            "PG" + {"dbname": "DATABASE"}.get(key, key.upper()): str(value)
            for key, value in conninfo_to_dict(dsn).items()
        }
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_stock_has_every_library() -> None:
    stock = {"threads": wait_select, "asyncio": wait_async, "trio": wait_trio}
    assert stock == STOCK


def test_minimal_waiter_of_the_guide(pair: Pair) -> None:
    names: dict[str, Any] = {}
    exec(sample("waiter.py"), names)
    ours, peer = pair
    later(0.15, peer.send, b"x")
    heard = names["wait"](listen(ours.fileno(), Wait.R), 0.05)
    assert len(heard) > 1
    assert heard[-1] == Ready.R
    assert names["wait"](once(ours.fileno(), Wait.RW), None) == Ready.RW


def test_window_of_the_guide(pair: Pair) -> None:
    """A graphical program's loop goes on while a conversation waits in it."""
    names: dict[str, Any] = {}
    exec(sample("window.py").split("\nif __name__")[0], names)
    ours, peer = pair
    window = names["Window"]()
    later(0.2, peer.send, b"x")
    heard = window.wait(listen(ours.fileno(), Wait.R), 0.05)
    assert heard[-1] == Ready.R
    assert heard.count(Ready.NONE) >= 2
    assert window.frames >= 5
    assert window.wait(once(ours.fileno(), Wait.RW), None) == Ready.RW
    assert not window.selector.get_map()


def test_window_of_the_guide_queries(dsn: str) -> None:
    frames = run_script(sample("window.py"), dsn).split()[0]
    assert int(frames) >= 10


def test_gevent_patched_is_cooperative() -> None:
    pytest.importorskip("gevent")
    out = run_script(
        """if True:
        from gevent import monkey
        monkey.patch_all()
        import os, socket, gevent
        from psycopg3 import errors
        from psycopg3.concurrency.calls import BlockingCall
        from psycopg3.concurrency.threads import Lock
        from psycopg3.waiting import Ready, Wait, wait_select

        ours, peer = socket.socketpair()
        turns = 0

        def other():
            global turns
            while turns < 5:
                gevent.sleep(0.02)
                turns += 1
            peer.send(b"x")

        def gen(fd, want):
            heard = [Ready.NONE]
            while not heard[-1]:
                heard.append((yield fd, want))
            return heard[-1]

        job = gevent.spawn(other)
        assert wait_select(gen(ours.fileno(), Wait.R)) == Ready.R
        assert turns == 5, turns
        assert wait_select(gen(ours.fileno(), Wait.RW)) == Ready.RW

        # The same number, another socket.
        third, peer3 = socket.socketpair()
        os.dup2(third.fileno(), ours.fileno())
        gevent.spawn_later(0.05, peer3.send, b"x")
        assert wait_select(gen(ours.fileno(), Wait.R)) == Ready.R

        # What ends a greenlet ends its wait.
        fourth, peer4 = socket.socketpair()
        try:
            with gevent.Timeout(0.05):
                wait_select(gen(fourth.fileno(), Wait.R))
        except gevent.Timeout:
            pass
        else:
            raise AssertionError

        number = fourth.detach()
        os.close(number)
        try:
            wait_select(gen(number, Wait.R))
        except errors.OperationalError:
            pass
        else:
            raise AssertionError

        # Locks belong to greenlets.
        lock = Lock()
        with lock:
            assert lock.owned()
            assert gevent.spawn(lock.owned).get() is False

        def call():
            with BlockingCall(gevent.sleep, 0.05) as e:
                while not e.done():
                    yield e.fileno(), Wait.R
                return e.result()

        assert wait_select(call()) is None
        print("fine")
        """
    )
    assert out == "fine\n"


def test_gevent_waiter_of_the_guide_is_cooperative() -> None:
    pytest.importorskip("gevent")
    code = sample("greenlets.py").split("\nif __name__")[0]
    out = run_script(
        code
        + textwrap.dedent(
            """
            import os, socket, time
            ours, peer = socket.socketpair()

            def gen(want, fd=ours.fileno()):
                heard = []
                while not any(heard):
                    heard.append((yield fd, want))
                return heard

            gevent.spawn_later(0.15, peer.send, b"x")
            heard = wait_gevent(gen(Wait.R), 0.05)
            assert heard[0] == Ready.NONE and heard[-1] == Ready.R, heard
            assert wait_gevent(gen(Wait.RW), None) == [Ready.RW]
            number = ours.detach()
            os.close(number)
            assert wait_gevent(gen(Wait.R, number)) == [Ready.R]  # libpq finds out
            print("fine")
            """
        )
    )
    assert out == "fine\n"


@pytest.mark.parametrize("name", ["greenlets.py", "patched.py"])
def test_gevent_of_the_guide_queries(name: str, dsn: str) -> None:
    pytest.importorskip("gevent")
    seconds = run_script(sample(name), dsn).split()[-2]
    assert float(seconds) < 1.4  # three queries of half a second each


def test_async_waiter_of_the_guide_queries(dsn: str) -> None:
    assert run_script(sample("patient.py"), dsn).startswith("silent")


class TestTicks:
    @pytest.mark.parametrize("seconds", [0.0001, 0.05, 0.1, 0.11, 0.25, 0.999, 3, 9.99])
    def test_one_comes_with_the_end(self, seconds: float) -> None:
        interval = tick_within(seconds)
        assert 0 < interval <= TICK + 0.001
        ticks = round(seconds / (interval - 0.001))
        assert 0 < ticks * interval - seconds < 0.001 * ticks + 1e-9

    @pytest.mark.parametrize("seconds", [-1, 0, 10, 1e10, float("inf"), float("-inf")])
    def test_of_what_is_over_or_long(self, seconds: float) -> None:
        assert tick_within(seconds) == TICK
