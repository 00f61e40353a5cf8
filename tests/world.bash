# world.bash - a devnet and what it and the store of a pipeline say:  load helper; load world
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # variables of helper and bats

# devnet OPTION...: COORDINATOR_URL and L2_URL are those of a new one, named $DEVNET
devnet() {
	local name=${DEVNET:-devnet}
	spawn "$name" prova-devnet --listen 127.0.0.1:0 --l2-listen 127.0.0.1:0 --ports "$name.ports" --cron 0.05 "$@"
	wait_for test -s "$name.ports"
	# shellcheck disable=SC1090
	. "./$name.ports"
	COORDINATOR_URL=http://127.0.0.1:$COORDINATOR L2_URL=http://127.0.0.1:$L2
}

stats() { curl -s "http://127.0.0.1:$COORDINATOR/devnet/stats" | jq -r "$1"; }
all_verified() { [ "$(stats '[.chunks, .batches, .bundles] | all(.total == .verified)')" = true ]; }

# store SQL: of the pipeline here, or in $IN
store() { sqlite3 -readonly -cmd '.timeout 5000' "${IN:-.}/state/ledger/prova.db" "$1"; }
jobs_over() { [ "$(store "SELECT count(*) FROM job WHERE state < 32")" = 0 ]; }
