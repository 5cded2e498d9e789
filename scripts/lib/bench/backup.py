"""Reads what backup.sh measured: backup.py DIRECTORY CORES. Writes DIRECTORY/result.json, and a table."""

import json
import pathlib
import statistics
import sys


def seconds_of(directory):
    """Seconds by the name of the measurement."""
    seconds = {}
    for line in (directory / "figures.txt").read_text().splitlines():
        name, begun, ended = line.split()
        seconds[name] = float(ended) - float(begun)
    return seconds


def one_drill(directory, name, seconds, cores):
    drill = json.loads((directory / f"{name}.json").read_text())
    if drill["good_count"] != drill["count"]:
        sys.exit(f"{name}: not every backup is good")
    count = drill["count"]
    mac, kdf = (sum(one[field] for one in drill["results"]) for field in ("mac_ms", "kdf_ms"))
    token = sum(one["token_ms"] for one in drill["results"])
    available = seconds * 1000 * cores
    return {
        "name": name, "cores": cores, "count": count, "seconds": seconds,
        "ms_per_backup": seconds * 1000 / count,
        "mac_ms_per_backup": mac / count, "kdf_ms_per_backup": kdf / count,
        "token_ms_per_backup": token / count,
        "kdf_share": (mac + kdf) / available,
    }


def main():
    directory, cores = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    seconds = seconds_of(directory)
    drills = {}
    for way, have in (("all-cores", cores), ("one-core", 1)):
        names = [name for name in seconds if name.startswith(way)]
        drills[way] = [one_drill(directory, name, seconds[name], have) for name in names]
    exported = len(json.loads((directory / "export.json").read_text())["backups"])
    result = {"cores": cores, "export": {"count": exported, "seconds": seconds["export"]},
              "drills": drills}
    (directory / "result.json").write_text(json.dumps(result, indent=2) + "\n")

    def median(way, field):
        return statistics.median(drill[field] for drill in drills[way])

    print(f"export: {exported} keys in {seconds['export']:.1f} s, "
          f"{seconds['export'] * 1000 / exported:.0f} ms each, on {cores} cores\n")
    print(f"{'drill':<10} {'seconds':>8} {'ms each':>8} {'MAC ms':>7} {'PBKDF2 ms':>10} {'token ms':>9} "
          f"{'KDF share':>10}")
    for way in drills:
        print(f"{way:<10} {median(way, 'seconds'):8.1f} {median(way, 'ms_per_backup'):8.0f} "
              f"{median(way, 'mac_ms_per_backup'):7.0f} {median(way, 'kdf_ms_per_backup'):10.0f} "
              f"{median(way, 'token_ms_per_backup'):9.1f} {median(way, 'kdf_share'):10.0%}")
    ratio = median("one-core", "seconds") / median("all-cores", "seconds")
    print(f"\none core takes {ratio:.2f} times as long as {cores}")


if __name__ == "__main__":
    main()
