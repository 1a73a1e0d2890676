"""What programs under a supervisor share: dying with their parent, a session of their own, free ports."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
import time

_PR_SET_PDEATHSIG = 1


def die_with_parent(signum: signal.Signals = signal.SIGTERM) -> None:
    """Ask Linux to send `signum` to this process when the thread that started it ends; elsewhere do nothing.

    The request survives `exec`, but not `fork`. Without it a supervisor that is killed leaves its children
    behind, holding their ports.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
    if os.getppid() != parent:  # it died before the request took effect
        os.kill(os.getpid(), signum)


def own_session() -> None:
    """Leave the parent's session and process group, so that a signal to our group reaches only us."""
    if os.getpgrp() != os.getpid():
        os.setsid()


def wait_for_free_port(host: str, port: int, wait_s: float = 0.0) -> bool:
    """Whether `host:port` can be bound, trying for `wait_s` seconds (a predecessor may still be dying)."""
    deadline = time.monotonic() + wait_s
    while True:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                if time.monotonic() >= deadline:
                    return False
            else:
                return True
        time.sleep(0.05)
