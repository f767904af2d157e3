"""What is raised in a thread from outside arrives there, or is taken back without a trace."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from durable_nb.runtime.async_exceptions import raise_in_thread, withdraw


class Stop(BaseException):
    pass


def test_an_exception_arrives_in_the_thread_it_is_for() -> None:
    caught: list[bool] = []
    ready = threading.Event()

    def wait() -> None:
        try:
            ready.set()
            while True:
                pass
        except Stop:
            caught.append(True)

    thread = threading.Thread(target=wait)
    thread.start()
    ready.wait()
    raise_in_thread(thread.ident or 0, Stop)
    thread.join()
    assert caught == [True]


def test_what_is_withdrawn_is_not_raised() -> None:
    withdraw()
    assert sum(range(1000)) == 499_500


@pytest.mark.slow
def test_after_a_withdrawal_functions_can_be_traced() -> None:
    code = (
        "import sys\n"
        "from durable_nb.runtime.async_exceptions import withdraw\n"
        "withdraw()\n"
        "def called(): return 1\n"
        "sys.settrace(lambda *event: None)\n"
        "called()\n"
        "sys.settrace(None)\n"
        "print('traced')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "traced\n"
