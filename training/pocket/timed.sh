#!/usr/bin/env bash
# All stages on one machine in SECONDS, for a GPU that is available for minutes: the denoiser gets the remaining time.
#
#   training/pocket/timed.sh SECONDS TARS STATE OUT [BEGIN]
#
# TARS holds the photos, STATE a folder with `tokenizer` and `backbone.safetensors` (made beforehand, with
# ai-edge-litert), OUT receives checkpoint, logs and sheets. BEGIN is a checkpoint whose autoencoder starts the training.
# The autoencoder has the minutes of CONFIG (default pocket.toml) and trains on whole photos while objects are cut out.
set -eu
if [ $# -lt 4 ]; then
    echo "timed.sh SECONDS TARS STATE OUT [BEGIN]: $# given" >&2
    exit 2
fi
end=$(($(date +%s) + $1)) tars=$2 state=$3 out=$4
begin=() && [ $# -lt 5 ] || begin=(--begin "$5")
config=${CONFIG:-training/pocket/pocket.toml} jobs=${JOBS:-$(nproc)}
work=$state/work
mkdir -p "$work" "$out"
stage() {
    "${PYTHON:-python3}" -m training.pocket "$@" --config "$config"
}
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT # ends the cutting when the autoencoder failed

stage photos "$tars" --whole --jobs "$jobs" --state "$work/whole"
ln -sfn "$(realpath "$work/whole/photos")" "$state/photos"
stage photos "$tars" --jobs "$(((jobs + 1) / 2))" --state "$work/cut" >"$work/cut.log" &
cutting=$!
stage autoencoder --state "$state" "${begin[@]}"
wait $cutting
tail -n 1 "$work/cut.log"
ln -sfn "$(realpath "$work/cut/photos")" "$state/photos"

left=$((end - $(date +%s) - ${RESERVE:-26})) # seconds, less imports, the last sheet and the export
if [ "$left" -lt 1 ]; then
    echo "timed.sh: of $1 seconds none are left for the denoiser; the state is kept in $state" >&2
    exit 1
fi
stage denoiser --state "$state" --within "$((left / 60)).$(printf %03d $((left % 60 * 1000 / 60)))"
stage export "$out/checkpoint" --state "$state"
cp "$state"/*.jsonl "$state"/sheets/*.png "$out"
