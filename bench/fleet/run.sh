#!/usr/bin/env bash
# usage: bench/fleet/run.sh OMMA DATABASE-URL
# Load on a fleet server on this machine, with a million enrolled vehicles if the database is PostgreSQL (empty, trial use).
set -euo pipefail
omma=$1 database=$2
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null; wait 2>/dev/null; rm -rf "$work"' EXIT

"$omma" fleet people add load --role operator --folder "$work" --database "$database" >"$work/token"
case $database in postgres*) psql -q "$database" -f million.sql ;; esac
"$omma" fleet serve --folder "$work" --database "$database" --listen 127.0.0.1:8467 >"$work/serve" &
server=$!
until grep -q listening "$work/serve"; do sleep 0.1; done
"$omma" fleet load --server http://127.0.0.1:8467 --token "$work/token" --vehicles "${VEHICLES:-2000}" \
    --connections "${CONNECTIONS:-64}" --seconds "${SECONDS_EACH:-10}"
grep -E 'VmHWM|VmRSS' "/proc/$server/status"
