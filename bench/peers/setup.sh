#!/bin/sh
# Make one environment per peer, bench/.env-NAME, from the versions pinned in bench/peers/NAME.txt.
# `setup.sh` makes all of them, `setup.sh NAME...` those named. A peer that cannot be installed is skipped with a word.
set -u
bench=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}

[ $# -gt 0 ] || set -- hftbacktest nautilus vectorbt backtesting backtrader
for peer in "$@"; do
    environment=$bench/.env-$peer
    pins=$bench/peers/$peer.txt
    if [ ! -f "$pins" ]; then
        echo "$peer: no such peer ($pins is missing)" >&2
        exit 2
    fi
    if [ -f "$environment/.ready" ] && cmp -s "$pins" "$environment/.ready"; then
        echo "$peer: ready"
        continue
    fi
    log=$bench/out/setup-$peer.log
    mkdir -p "$bench/out"
    if "$python" -m venv --clear "$environment" >"$log" 2>&1 &&
        "$environment/bin/python" -m pip install --quiet --disable-pip-version-check -r "$pins" >>"$log" 2>&1; then
        cp "$pins" "$environment/.ready"
        echo "$peer: installed"
    else
        rm -rf "$environment"
        echo "$peer: skipped, it cannot be installed here (see $log)"
    fi
done
