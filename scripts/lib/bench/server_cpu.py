#!/usr/bin/env python3
"""The CPU time that servers, and the processes that sign for them, spend on full TLS 1.3 handshakes.

  server_cpu.py --ca FILE --name NAME [--rounds N] [--slices N] TARGET...
      TARGET is CASE:WAY:PORT:HANDSHAKES:SERVER_PID[,SIGNER_PID...][:greeting]. In each round it shakes
      hands HANDSHAKES times with each target, one after the other and without resumption, and prints a
      line "CASE WAY {...}" of JSON for each: cpu_us, the microseconds of CPU time that a handshake costs, and
      signers_us, what of it the signers spend. Our own are not in it. The targets of one case take
      turns: a round is made of N slices, so that what else the machine does meets all ways alike.

A process counts with all that descend from it, those that ended meanwhile included: their parents
waited for them. greeting: reads the line that a mail server says first, and so waits for all of what a
connection costs.
"""
import argparse
import contextlib
import json
import os
import socket
import ssl
import sys
import time

LIMIT_S = 60
# Between two looks at processes that may still be busy.
LOOK_S = 0.02
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
SLEEPING = "SI"


def descendants(pid):
    """pid and its living descendants."""
    found = [pid]
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
            for child in file.read().split():
                found += descendants(int(child))
    return found


def process_ns(pid):
    """Nanoseconds of a process's threads, those that ended too: see clock_getcpuclockid(3)."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def stat_fields(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


def ended_children_ns(pid):
    """The same of the children that pid waited for; proc(5) has it in ticks."""
    fields = stat_fields(f"/proc/{pid}/stat")
    return (int(fields[13]) + int(fields[14])) * 1_000_000_000 // TICKS_PER_S


def asleep(pid):
    tasks = os.listdir(f"/proc/{pid}/task")
    return all(stat_fields(f"/proc/{pid}/task/{task}/stat")[0] in SLEEPING for task in tasks)


def look(trees):
    """(processes, nanoseconds, whether all sleep) of the trees."""
    pids = [pid for tree in trees for pid in descendants(tree)]
    total = sum(process_ns(pid) + ended_children_ns(pid) for pid in pids)
    return pids, total, all(asleep(pid) for pid in pids)


def settled_ns(trees):
    """The trees' nanoseconds once nothing in them is to be done: all sleep, and nothing has changed."""
    end = time.monotonic() + LIMIT_S
    before = None
    if not trees:
        return 0
    while time.monotonic() < end:
        try:
            now = look(trees)
        except OSError:
            now = None  # a process ended under our eyes
        if now is not None and now == before and now[2]:
            return now[1]
        before = now
        time.sleep(LOOK_S)
    sys.exit("server_cpu: the server's processes do not come to rest")


class Target:
    """One server, and what was measured of it in this round."""

    def __init__(self, text):
        self.case, self.way, port, handshakes, pids, *rest = text.split(":")
        self.port, self.handshakes, self.greeting = int(port), int(handshakes), bool(rest)
        server, *signers = map(int, pids.split(","))
        self.server, self.signers = [server], signers
        self.cpu_ns = self.signers_ns = 0

    def ns(self):
        signers = settled_ns(self.signers)
        return settled_ns(self.server) + signers, signers

    def measure(self, count, arguments, context):
        cpu, signers = self.ns()
        for _ in range(count):
            shake_hands(self, arguments.name, context)
        cpu_after, signers_after = self.ns()
        self.cpu_ns += cpu_after - cpu
        self.signers_ns += signers_after - signers

    def report(self):
        values = {key: round(value / 1000 / self.handshakes, 2)
                  for key, value in (("cpu_us", self.cpu_ns), ("signers_us", self.signers_ns))}
        print(self.case, self.way, json.dumps(values), flush=True)
        self.cpu_ns = self.signers_ns = 0


def shake_hands(target, name, context):
    with socket.create_connection(("127.0.0.1", target.port), timeout=LIMIT_S) as plain:
        with context.wrap_socket(plain, server_hostname=name) as connection:
            if connection.version() != "TLSv1.3" or connection.session_reused:
                sys.exit("server_cpu: not a full TLS 1.3 handshake")
            if target.greeting and not connection.recv(4096):
                sys.exit("server_cpu: the server closed the connection without a greeting")
            # Until the server closes too: a client that is gone early spares it the last of its work.
            with contextlib.suppress(OSError):
                connection.unwrap()


def run_round(cases, arguments, context):
    for targets in cases.values():
        for i in range(arguments.slices):
            for target in targets:
                count = target.handshakes * (i + 1) // arguments.slices
                count -= target.handshakes * i // arguments.slices
                target.measure(count, arguments, context)
        for target in targets:
            target.report()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ca", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--slices", type=int, default=5)
    parser.add_argument("targets", nargs="+")
    arguments = parser.parse_args()
    context = ssl.create_default_context(cafile=arguments.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    cases = {}
    for text in arguments.targets:
        target = Target(text)
        cases.setdefault(target.case, []).append(target)
    for number in range(1, arguments.rounds + 1):
        if arguments.rounds > 1:
            print(f"\rround {number} of {arguments.rounds}", end="", file=sys.stderr, flush=True)
        run_round(cases, arguments, context)
    if arguments.rounds > 1:
        print(file=sys.stderr)


if __name__ == "__main__":
    main()
