"""The command `d2l-lstm`, there before Paddle is: for Ctrl-C, and closed streams.

Importing Paddle takes a second or two, and what happens in them would be a traceback.
"""

import os
import signal
import sys


def _interrupted(*_):
    """Say so in one sentence, and end at once: status 130."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdout.flush()
    print("\nd2l-lstm: interrupted.", file=sys.stderr, flush=True)
    os._exit(130)


def main():
    """Run `d2l_lstm.cli.main`; an interrupt that it does not answer ends it."""
    before = signal.signal(signal.SIGINT, _interrupted)
    # Paddle's launcher stops its processes by SIGTERM; the first one speaks for all.
    speaks = os.name == "posix" and os.environ.get("PADDLE_TRAINER_ID") == "0"
    if speaks:  # it waits: Paddle would show its own inside
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:  # closed: or the next file that is opened gets this number
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))
    # An exception in the middle of a library's import would come out as another one.
    from d2l_lstm.cli import main

    if speaks:
        signal.signal(signal.SIGTERM, _interrupted)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    signal.signal(signal.SIGINT, before)
    try:
        main()
    except KeyboardInterrupt:
        _interrupted()
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is said and saved


if __name__ == "__main__":
    main()
