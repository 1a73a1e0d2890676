"""The parts of bench.web that can be wrong without a running system."""

from __future__ import annotations

import sys
from subprocess import PIPE, Popen

import pytest

from bench import cpu, web

pytestmark = pytest.mark.unit

PRINTED = """Running 6s test @ http://127.0.0.1:5158/
  2 threads and 8 connections
  Latency Distribution
     50%  794.77us
     75%    1.14s \n     90%    1.18s \n     99%    1.18s \n  9 requests in 1.26s, 662.96KB read
  Socket errors: connect 0, read 1, write 0, timeout 2
  Non-2xx or 3xx responses: 4
Requests/sec:   1234.50
Transfer/sec:    527.79KB
"""


def test_what_wrk_prints_is_read_with_its_units_and_all_failures() -> None:
    result = web.parse(PRINTED)

    assert result.rate == 1234.5
    assert result.p50_ms == pytest.approx(0.79477)
    assert result.p99_ms == 1180
    assert result.failed == 7


def test_something_else_is_no_result() -> None:
    with pytest.raises(ValueError, match="something else"):
        web.parse("unable to connect to 127.0.0.1:1")


BUSY = """
import sys, time
sys.stdin.readline()
while time.process_time() < 0.5:
    pass
print("done", flush=True)
sys.stdin.readline()
"""


def test_processor_time_is_that_of_the_block() -> None:
    # In a process of its own: this one has threads that other tests started.
    with Popen([sys.executable, "-c", BUSY], stdin=PIPE, stdout=PIPE, text=True) as busy:
        assert busy.stdin
        assert busy.stdout
        with cpu.used({"busy": [busy.pid], "nobody": []}) as cores:
            busy.stdin.write("go\n")
            busy.stdin.flush()
            assert busy.stdout.readline() == "done\n"
        busy.stdin.close()

    assert 0 < cores["busy"] <= 1.2  # one thread: a core, and the clock's grain
    assert cores["nobody"] == 0


def test_without_wrk_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")

    assert web.main([]) == 2
    assert capsys.readouterr().err == "error: wrk is not installed (Debian: apt-get install wrk)\n"
