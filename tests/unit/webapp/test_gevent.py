"""gRPC calls of one front end wait side by side, not one after the other."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

SLOW_SERVER = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
import grpc

def slow(request, context):
    time.sleep(0.5)
    return request

server = grpc.server(ThreadPoolExecutor(8))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
    "test.Slow", {"Call": grpc.unary_unary_rpc_method_handler(slow)}),))
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()
"""

EIGHT_CALLS = """
from webapp.patch import patch_for_gevent
patch_for_gevent()
import sys, time
import gevent, grpc

with grpc.insecure_channel("127.0.0.1:" + sys.argv[1]) as channel:
    call = channel.unary_unary("/test.Slow/Call")
    call(b"warm", wait_for_ready=True, timeout=20)
    started = time.monotonic()
    gevent.joinall([gevent.spawn(call, b"x", timeout=20) for _ in range(8)], raise_error=True)
    print(time.monotonic() - started)
"""


def test_eight_slow_calls_take_the_time_of_one() -> None:
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        done = subprocess.run(
            [sys.executable, "-c", EIGHT_CALLS, port],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        server.stdin.close()
    assert done.returncode == 0, done.stderr
    assert 0.5 <= float(done.stdout) < 2.0  # one after the other: 4 s


BESIDE_A_HANG = """
from webapp.patch import patch_for_gevent
patch_for_gevent()
import os, signal, sys, time
import gevent, grpc
from engine.errors import EcrsError
from services.common.rpc import Target

hanging, other = (Target(name, "127.0.0.1:" + port, greenlets=True).open() for name, port in
                  (("rank", sys.argv[1]), ("item", sys.argv[2])))

def ask(target, timeout_s):
    try:
        return target.call(target.channel.unary_unary("/test.Slow/Call"), b"x", timeout_s)
    except EcrsError:
        return None

assert ask(hanging, 10) == ask(other, 10) == b"x"
os.kill(int(sys.argv[3]), signal.SIGSTOP)
waiting = [gevent.spawn(ask, hanging, 2.0) for _ in range(40)]
killed = [gevent.spawn(ask, hanging, 2.0) for _ in range(5)]
gevent.sleep(0.1)
started = time.monotonic()
assert ask(other, 1.9) == b"x", "held up"
took = time.monotonic() - started
gevent.killall(killed)
gevent.joinall(waiting)
assert ask(hanging, 1.0) is None
os.kill(int(sys.argv[3]), signal.SIGCONT)
started = time.monotonic()
while ask(hanging, 0.9) != b"x":
    assert time.monotonic() - started < 5, "stuck"
    gevent.sleep(0.05)
print(took, flush=True)
os._exit(0)
"""


def test_calls_to_a_service_that_hangs_hold_up_no_others_and_pass_again_after_the_hang() -> None:
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", SLOW_SERVER]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as hanging,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other,
    ):
        ports = [server.stdout.readline().strip() for server in (hanging, other) if server.stdout]
        try:
            done = subprocess.run(
                [sys.executable, "-c", BESIDE_A_HANG, *ports, str(hanging.pid)],
                cwd=root,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        finally:
            hanging.kill()
            other.kill()
    assert done.returncode == 0, done.stderr
    assert (
        0.5 <= float(done.stdout.splitlines()[-1]) < 1.5
    )  # behind forty calls of 2 s it would come too late
