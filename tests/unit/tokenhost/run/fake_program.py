#!/usr/bin/env python3
"""Stands for keybrokerd or keybroker-tokenhost under `keybroker run`: tells what happens to it.

Beside it lie: events, a FIFO that gets a line for each thing that happens; and NAME.plan, whose
first line is taken off at each start: "exit CODE", "mute" (never ready), "flood" (ready, and then says something else without end), "stubborn" (ready, but
ignores SIGTERM); without one it is ready and waits.
"""
import os
import signal
import socket
import sys

HERE = os.path.dirname(os.path.abspath(sys.argv[0]))


def name():
    program = os.path.basename(sys.argv[0])
    if "--token" in sys.argv:
        return program + "." + sys.argv[sys.argv.index("--token") + 1]
    return program


def tell(what):
    fd = os.open(os.path.join(HERE, "events"), os.O_WRONLY)
    os.write(fd, f"{name()} {os.getpid()} {what}\n".encode())
    os.close(fd)


def take_plan():
    path = os.path.join(HERE, name() + ".plan")
    if not os.path.exists(path):
        return ""
    with open(path) as file:
        lines = file.read().splitlines()
    with open(path, "w") as file:
        file.write("\n".join(lines[1:]))
    return lines[0] if lines else ""


def say_ready():
    with socket.socket(fileno=int(os.environ["KEYBROKER_NOTIFY_FD"])) as notify:
        notify.send(b"STATUS=here\nREADY=1")


def flood():
    """Says more than the supervisor can read, for as long as it lives."""
    if os.fork() == 0:
        notify = socket.socket(fileno=int(os.environ["KEYBROKER_NOTIFY_FD"]))
        try:
            while True:
                notify.send(b"STATUS=busy")
        except OSError:
            os._exit(0)


def main():
    signals = {signal.SIGTERM, signal.SIGHUP, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    plan = take_plan()
    stdin = os.readlink("/proc/self/fd/0")
    session = "own-session" if os.getsid(0) == os.getpid() else "other-session"
    listed = os.listdir("/proc/self/fd")  # with the one of the listing, which is closed again
    opened = ",".join(fd for fd in listed if int(fd) > 2 and os.path.exists("/proc/self/fd/" + fd))
    tell("start " + " ".join(sys.argv[1:]) + f" | {stdin} {session} " +
         ("alone" if opened == os.environ.get("KEYBROKER_NOTIFY_FD", "") else "with " + opened))
    if plan.startswith("exit "):
        sys.exit(int(plan.split()[1]))
    if plan != "mute":
        say_ready()
        tell("ready")
    if plan == "flood":
        flood()
    while True:
        got = signal.sigwait(signals)
        tell(signal.Signals(got).name)
        if got != signal.SIGHUP and plan != "stubborn":
            sys.exit(0)


main()
