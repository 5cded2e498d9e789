#!/bin/bash
# What the release build's module file is, read from the file itself. Usage: check_module.sh FILE
set -euo pipefail
file=$1
failed=0
expect() {  # WHAT EXPECTED ACTUAL
  if [[ $2 == "$3" ]]; then
    printf 'ok %s: %s\n' "$1" "${3:-none}"
  else
    printf 'not ok %s: expected "%s", found "%s"\n' "$1" "$2" "$3"
    failed=1
  fi
}

exported=$(nm --dynamic --defined-only "$file" | awk '{print $3}' | sort | paste -sd ' ')
expect 'exported symbols' 'C_GetFunctionList' "$exported"

# libc and the loader, nothing else: the module must not bring a library into a listener.
needed=$(readelf --dynamic --wide "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
  grep -v '^ld-linux' | sort | paste -sd ' ')
expect 'NEEDED beside the loader' 'libc.so.6' "$needed"

flags=$(readelf --dynamic --wide "$file" | sed -n 's/.*(FLAGS_1).*Flags: //p' | tr ' ' '\n' |
  grep -E '^(NOW|NODELETE)$' | sort | paste -sd ' ')
expect 'flags' 'NODELETE NOW' "$flags"

# Neither exit handlers nor threads, and nothing that ends the listener's process.
forbidden=$(nm --dynamic --undefined-only "$file" | awk '{print $NF}' | sed 's/@.*//' |
  grep -E '^(__cxa_atexit|atexit|on_exit|pthread_create|pthread_atfork|__register_atfork|abort|exit|_exit|signal|sigaction|dlopen|puts|printf|fprintf|__fprintf_chk|__printf_chk|perror)$' |
  sort | paste -sd ' ' || true)
expect 'forbidden imports' '' "$forbidden"

# One entry each: what crtbeginS.o brings along.
for section in .init_array .fini_array; do
  size=$(readelf --sections --wide "$file" | sed 's/^ *\[ *[0-9]*\] *//' |
    awk -v name="$section" '$1 == name {print $5}')
  expect "$section" '000008' "$size"
done

stripped=$(mktemp)
trap 'rm -f "$stripped"' EXIT
strip -o "$stripped" "$file"
size=$(stat --format=%s "$stripped")
limit=65536
if ((size <= limit)); then
  printf 'ok size: %d bytes, at most %d\n' "$size" "$limit"
else
  printf 'not ok size: %d bytes, more than %d\n' "$size" "$limit"
  failed=1
fi
exit "$failed"
