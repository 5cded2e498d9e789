#!/usr/bin/env python3
"""Prints the table of scripts/bench signatures: FIGURES RESULT SIGNATURES."""
import json, statistics, sys

figures, messages = {}, {}
for line in open(sys.argv[1]):
    case, way, text = line.split(" ", 2)
    value = json.loads(text)
    if case == "messages":
        messages[way] = value["sent"]
    else:
        figure = value.get("per_second", value.get("start_us"))
        figures.setdefault(case, {}).setdefault(way, []).append(figure)

TARGETS = {"p256-1": 0.62, "p256-8": 0.58, "rsa-1": 0.94}
NAMES = {"p256-1": "P-256, 1 client", "p256-8": "P-256, 8 clients", "rsa-1": "RSA-2048, 1 client"}
medians = {case: {way: statistics.median(values) for way, values in ways.items()}
           for case, ways in figures.items()}
result = {"medians": medians, "share_of_direct": {}, "targets": TARGETS, "messages": messages,
          "figures": figures}

COLUMNS = ("two-hops", "keybroker", "p11-kit")
print(f"{'signatures a second':<20}{'direct':>8}" + "".join(f"{way:>16}" for way in COLUMNS)
      + "   target   of two-hops")
for case, target in TARGETS.items():
    direct = medians[case]["direct"]
    shares = {way: medians[case][way] / direct for way in COLUMNS}
    result["share_of_direct"][case] = shares
    cells = "".join(f"{medians[case][way]:>10,.0f}  {shares[way]:.2f}" for way in COLUMNS)
    verdict = "met" if shares["keybroker"] >= target else "not met"
    of_floor = shares["keybroker"] / shares["two-hops"]
    print(f"{NAMES[case]:<20}{direct:>8,.0f}{cells}   {target} {verdict:<9}{of_floor:.2f}")
print()
for case in sorted((c for c in medians if c.startswith("start-")), key=lambda c: int(c.split("-")[1])):
    ways = "   ".join(f"{way} {medians[case][way] / 1000:.1f} ms" for way in medians[case])
    print(f"from nothing to the first signature, {case.split('-')[1]} keys on the token: {ways}")
if messages:
    print(f"\nmessages sent for {sys.argv[3]} signatures and one client's start: "
          + ", ".join(f"{who} {count}" for who, count in messages.items()))
else:
    print("\nmessages for each signature: LEFT OUT (strace may not attach here)")
json.dump(result, open(sys.argv[2], "w"), indent=1)
print(f"\nall figures: {sys.argv[2]}")
