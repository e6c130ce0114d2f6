#!/usr/bin/env bash
# All stages on one machine in so many seconds, for a GPU that is lent for minutes: the denoiser gets what time is left.
#
#   training/pocket/timed.sh SECONDS TARS STATE OUT [BEGIN]
#
# TARS holds the photos, STATE a folder with `tokenizer` and `backbone.safetensors` (made beforehand, where ai-edge-litert
# is), OUT takes the checkpoint, the logs and the sheets. BEGIN is a finished checkpoint whose autoencoder is begun from.
# The autoencoder has the minutes of CONFIG (default pocket.toml) and trains on whole photos while objects are cut out.
set -eu
end=$(($(date +%s) + $1)) tars=$2 state=$3 out=$4 begin=${5:+--begin $5}
config=${CONFIG:-training/pocket/pocket.toml} jobs=${JOBS:-$(nproc)} run="${PYTHON:-python3} -m training.pocket"
mkdir -p "$state/work" "$out"
work=$state/work

sed 's/^without = /cut = []\n&/' "$config" >"$work/whole.toml"
$run photos "$tars" --jobs "$jobs" --state "$work/whole" --config "$work/whole.toml" ${LIMIT:-}
ln -sfn "$work/whole/photos" "$state/photos"
$run photos "$tars" --jobs "$(((jobs + 1) / 2))" --state "$work/cut" --config "$config" ${LIMIT:-} >"$work/cut.log" &
cutting=$!
# shellcheck disable=SC2086
$run autoencoder --state "$state" --config "$config" $begin
wait $cutting
tail -n 1 "$work/cut.log"
ln -sfn "$work/cut/photos" "$state/photos"

left=$((end - $(date +%s) - 26)) # less what importing, the last sheet and the export take
minutes=$((left / 60)).$(printf %03d $(((left % 60) * 1000 / 60)))
sed "/^\[denoiser\]/,\$s/^minutes = .*/minutes = $minutes/" "$config" >"$work/rest.toml"
$run denoiser --state "$state" --config "$work/rest.toml"
$run export "$out/checkpoint" --state "$state" --config "$config"
cp "$state"/*.jsonl "$state"/sheets/*.png "$out"
