#!/usr/bin/env python3
"""Prints the table of scripts/bench listeners: FIGURES RESULT."""
import json
import statistics
import sys

# The server's CPU time through keybroker, as a share of SoftHSM's in its process.
TARGETS = {"nginx-rsa": 1.15, "nginx-ec": 1.3}
MOST_MESSAGES = {"nginx": 1, "dovecot": 3}
NAMES = {"nginx-rsa": "nginx, RSA-2048", "nginx-ec": "nginx, P-256",
         "dovecot-rsa": "dovecot, RSA-2048", "dovecot-ec": "dovecot, P-256"}
WAYS = ("file", "softhsm", "keybroker", "p11-kit")
BASE = "softhsm"

figures, signers, messages = {}, {}, {}
with open(sys.argv[1], encoding="utf-8") as file:
    for line in file:
        case, way, text = line.split(" ", 2)
        value = json.loads(text)
        if case == "messages":
            messages[way] = value["received"] / value["handshakes"]
        else:
            figures.setdefault(case, {}).setdefault(way, []).append(value["cpu_us"])
            signers.setdefault(case, {}).setdefault(way, []).append(value["signers_us"])


def medians_of(cases):
    return {case: {way: statistics.median(values) for way, values in ways.items()}
            for case, ways in cases.items()}


medians, signers_medians = medians_of(figures), medians_of(signers)
# Each round's own ratio: what else the machine did then is in both.
ratios = {case: {way: statistics.median(a / b for a, b in zip(ways[way], ways[BASE]))
                 for way in WAYS} for case, ways in figures.items()}

print("server's CPU time for a full TLS 1.3 handshake, in us, and its ratio to SoftHSM in process")
print(f"{'':<20}" + "".join(f"{way:>16}" for way in WAYS) + "   target")
for case in sorted(figures, reverse=True):
    cells = "".join(f"{medians[case][way]:>10,.0f}  {ratios[case][way]:.2f}" for way in WAYS)
    target = TARGETS.get(case)
    verdict = "" if target is None else \
        f"   {target} {'met' if ratios[case]['keybroker'] <= target else 'not met'}"
    print(f"{NAMES[case]:<20}{cells}{verdict}")
    cells = "".join(f"{signers_medians[case][way]:>10,.0f}      " for way in WAYS)
    print(f"{'  of it, signers':<20}{cells.rstrip()}")
print()
for case in sorted(figures, reverse=True):
    if case not in messages:
        print(f"messages to the broker, {NAMES[case]}: LEFT OUT (strace may not attach here)")
        continue
    most = MOST_MESSAGES[case.split("-")[0]]
    verdict = "met" if 0 < messages[case] <= most else "not met"
    print(f"messages to the broker for each handshake, {NAMES[case]}: {messages[case]:g}"
          f"   at most {most} {verdict}")
with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump({"unit": "us of CPU time for each handshake", "medians": medians,
               "medians_of_signers": signers_medians,
               "ratio_to_softhsm": ratios, "targets": TARGETS, "messages": messages,
               "most_messages": MOST_MESSAGES, "figures": figures,
               "figures_of_signers": signers}, file, indent=1)
print(f"\nall figures: {sys.argv[2]}")
