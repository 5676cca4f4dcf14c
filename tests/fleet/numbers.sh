#!/usr/bin/env bash
# Measures a fleet beside a single process, on this machine: memory, the cost of a chunk, speed.
#
#   cargo build --release --features fleet
#   RAUDAL_NATS_SERVER=nats-server tests/fleet/numbers.sh [INPUTS [memory|chunk|speed]]
#
# INPUTS is how many tiny inputs the part on memory reads: 1,000,000 takes some minutes.
# It fails if a figure misses its goal.
set -euo pipefail
cd "$(dirname "$0")/../.."
inputs=${1:-100000}
only=${2:-}
raudal=$(realpath "${RAUDAL:-target/release/raudal}")
nats=${RAUDAL_NATS_SERVER:-nats-server}
folder=$(mktemp -d "${TMPDIR:-/tmp}/raudal-numbers.XXXX")
pids=()
failed=0
named=0

cleanup() {
    for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$folder"
}
trap cleanup EXIT

# Says a figure, and whether it meets its goal: goal NAME VALUE UNIT COMPARISON GOAL
goal() {
    local verdict=met
    awk -v a="$2" -v b="$5" "BEGIN { exit !(a $4 b) }" || { verdict=MISSED; failed=1; }
    printf '%-58s %10s %-8s goal %s %s: %s\n' "$1" "$2" "$3" "$4" "$5" "$verdict"
}
# The most memory of a process so far, in MiB; its processor time so far, in ms.
peak() { awk '/VmHWM/ { printf "%.1f", $2 / 1024 }' "/proc/$1/status"; }
cpu() { awk -v hz="$(getconf CLK_TCK)" '{ print ($14 + $15) * 1000 / hz }' "/proc/$1/stat"; }
# Waits until a file has this text.
await() { until grep -q "$2" "$1" 2>/dev/null; do sleep 0.05; done; }

serve() {
    "$raudal" serve "$@" >"$folder/url" 2>"$folder/serve.log" & pids+=($!)
    await "$folder/url" http
    url=$(head -n 1 "$folder/url")
}
# Starts so many workers: workers COUNT OPTIONS...
workers() {
    local count=$1; shift
    for _ in $(seq "$count"); do
        named=$((named + 1))
        "$raudal" worker --name "w$named" --allow 127.0.0.1 "$@" 2>"$folder/w$named" & pids+=($!); of_workers+=($!)
        await "$folder/w$named" 'waits for runs'
    done
}
# Runs over the fleet: spread OUT OPTIONS...; sets `seconds`, `memory` (KiB) and `used` (ms of processor)
spread() {
    local out=$1; shift
    /usr/bin/time -f '%e %M %U %S' -o "$folder/time" "$raudal" table -o "$out" --parts "$folder/parts" -q "$@"
    read -r seconds memory user system <"$folder/time"
    used=$(awk -v u="$user" -v s="$system" 'BEGIN { print (u + s) * 1000 }')
}

"$nats" -js -sd "$folder/jetstream" -a 127.0.0.1 -p -1 --ports_file_dir "$folder" >"$folder/nats.log" 2>&1 & broker=$!; pids+=($!)
until ports=$(cat "$folder"/nats-server_*.ports 2>/dev/null) && [ -n "$ports" ]; do sleep 0.05; done
export RAUDAL_NATS=$(grep -o 'nats://127.0.0.1:[0-9]*' <<<"$ports" | head -n 1)

measure_memory() {
    echo "== $inputs tiny inputs, two workers"
    serve
    seq -f "${url}tiny_%.0f.zip" "$inputs" >"$folder/list"
    of_workers=(); workers 2
    spread "$folder/fleet.csv" -i "$folder/list"
    echo "submitter and two workers: $seconds s"
    goal "peak memory of the submitter" "$(awk -v k="$memory" 'BEGIN { printf "%.1f", k / 1024 }')" MiB '<' 64
    for pid in "${of_workers[@]}"; do
        goal "peak memory of a worker" "$(peak "$pid")" MiB '<' 64
        awk -v ms="$(cpu "$pid")" -v n="$inputs" 'BEGIN { printf "processor time of a worker: %.0f s\n", ms / 1000 }'
        kill "$pid"
    done
    awk -v ms="$used" 'BEGIN { printf "processor time of the submitter: %.0f s\n", ms / 1000 }'
    echo "peak memory of the broker: $(peak "$broker") MiB"
    # To standard output: an output file would have partial files beside it.
    /usr/bin/time -f '%e %M %U %S' -o "$folder/time" env -u RAUDAL_NATS "$raudal" table -q -i "$folder/list" -j 32 >"$folder/alone.csv"
    read -r seconds memory user system <"$folder/time"
    echo "a single process, -j 32: $seconds s, $user s + $system s of processor, $((memory / 1024)) MiB"
    sums=$(sha256sum "$folder/fleet.csv" "$folder/alone.csv" | cut -d ' ' -f 1 | sort -u)
    echo "SHA-256 of both tables: $sums"
    [ "$(wc -l <<<"$sums")" -eq 1 ] || { echo "the tables differ"; failed=1; }
}

measure_chunk() {
    echo "== the processor time of a chunk"
    local -A total
    serve
    for chunk in 1 64; do
        of_workers=(); workers 1
        spread "$folder/chunk-$chunk.csv" "${url}tiny_[1-6400].zip" --chunk "$chunk"
        total[$chunk]=$(awk -v a="$(cpu "${of_workers[0]}")" -v b="$used" 'BEGIN { print a + b }')
        echo "6,400 inputs, $chunk a chunk: $seconds s, ${total[$chunk]} ms of processor of worker and submitter"
        kill "${of_workers[0]}"
    done
    goal "processor time of a chunk beside that of its inputs" \
        "$(awk -v a="${total[1]}" -v b="${total[64]}" 'BEGIN { printf "%.3f", (a - b) / (6400 - 100) }')" ms '<' 1
}

measure_speed() {
    echo "== eight workers behind an origin of 80 ms and 512 KiB/s a connection"
    serve --latency 80ms --bandwidth-per-connection 512KiB --scale 0.2
    # The origin makes the archives on the first request. That is not measured.
    env -u RAUDAL_NATS "$raudal" table -o "$folder/first.csv" -q "${url}ITER_[01-32]_2020_csv.zip" -j 32
    of_workers=(); workers 1 -j 1
    # Each worker has as many inputs to read as the one that is alone.
    spread "$folder/one.csv" "${url}ITER_[01-32]_2020_csv.zip" --chunk 1 --per-host 64
    one=$seconds
    echo "one worker, 32 archives: $one s"
    workers 7 -j 1
    for _ in $(seq 8); do seq -f "${url}ITER_%02.0f_2020_csv.zip" 32; done >"$folder/list"
    spread "$folder/eight.csv" -i "$folder/list" --chunk 1 --per-host 64
    echo "eight workers, 256 archives: $seconds s"
    goal "speed of eight workers over eight times that of one" \
        "$(awk -v a="$one" -v b="$seconds" 'BEGIN { printf "%.3f", a / b }')" "" '>=' 0.9
}

for what in ${only:-memory chunk speed}; do "measure_$what"; done
exit "$failed"
