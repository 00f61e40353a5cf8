# helper.bash - what every bats file loads:  load helper
#
# A test works in $BATS_TEST_TMPDIR.  spawn starts a process in the background, wait_for waits
# for a condition, teardown ends what was spawned and, when the test failed, shows the tails of
# all logs.  run_dir makes a directory in which a whole pipeline can run.
#
# What must not be so is written  run -1 COMMAND  (or run ! where it may fail in several ways): a mere  ! COMMAND
# fails no test.  tests/lint/blind refuses it, and what else cannot fail.
# shellcheck shell=bash

bats_require_minimum_version 1.5.0
for lib in bats-support bats-assert bats-file; do
	for place in /usr/lib/bats /usr/lib; do
		if [ -e "$place/$lib/load.bash" ]; then load "$place/$lib/load.bash"; fi
	done
done

ROOT=$(cd "$BATS_TEST_DIRNAME" && while [ ! -e Makefile ] && [ "$PWD" != / ]; do cd ..; done; pwd)
: "${PROVA_BUILD:=$ROOT/$(make -s -C "$ROOT" where)}"
PATH=$PROVA_BUILD/bin:$PATH
export ROOT PROVA_BUILD PATH LC_ALL=C.UTF-8

PATIENCE=${PATIENCE:-20}	# seconds that wait_for waits at most
AWAY_SECONDS=${AWAY_SECONDS:-0}	# how long at least somebody is away in tests about that: 60 to see what a minute does

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	declare -gA PIDS=()
}

# spawn NAME COMMAND...: in the background; standard output to NAME.out, error to NAME.err.
# Its process id is ${PIDS[NAME]}.  Starting a name again appends to its logs.
spawn() {
	local name=$1
	shift
	"$@" >>"$name.out" 2>>"$name.err" </dev/null 3>&- &
	PIDS[$name]=$!
}

# stop NAME [SIGNAL]: end one of them (TERM) and wait for it; its status is returned.
stop() {
	local pid=${PIDS[$1]}
	kill -"${2:-TERM}" "$pid" 2>/dev/null || :
	unset "PIDS[$1]"
	wait "$pid"
}

alive() { kill -0 "${PIDS[$1]}" 2>/dev/null; }

# wait_for [-s SECONDS] COMMAND...: until it succeeds, at most PATIENCE seconds.
wait_for() {
	local seconds=$PATIENCE end
	if [ "$1" = -s ]; then
		seconds=$2
		shift 2
	fi
	end=$((SECONDS + seconds))
	until "$@" >/dev/null 2>&1; do
		if ((SECONDS >= end)); then
			echo "waited $seconds s for: $*" >&2
			return 1
		fi
		sleep 0.02
	done
}

# stay_away SINCE: somebody went at $SECONDS = SINCE, and is to be away for AWAY_SECONDS
stay_away() {
	until ((SECONDS - $1 >= AWAY_SECONDS)); do sleep 0.1; done
	echo "# away for $((SECONDS - $1)) s" >&3
}

# logged NAME PATTERN: NAME's standard error has a line that matches.
logged() { grep -qE -- "$2" "$1.err"; }

# Ends everything that was spawned, whatever it does: TERM, after PATIENCE seconds KILL.
stop_all() {
	local name pid end=$((SECONDS + PATIENCE))
	for name in "${!PIDS[@]}"; do
		kill -CONT "${PIDS[$name]}" 2>/dev/null || :
		kill -TERM "${PIDS[$name]}" 2>/dev/null || :
	done
	for name in "${!PIDS[@]}"; do
		pid=${PIDS[$name]}
		while kill -0 "$pid" 2>/dev/null && ((SECONDS < end)); do sleep 0.02; done
		if kill -KILL "$pid" 2>/dev/null; then
			echo "$name did not end by SIGTERM" >&2
		fi
		wait "$pid" 2>/dev/null || :
	done
	PIDS=()
	return 0
}

show_logs() {
	local log
	for log in *.err *.out; do
		[ -s "$log" ] || continue
		echo "--- $log"
		tail -n 20 "$log"
	done
}

teardown() {
	stop_all
	[ -n "${BATS_TEST_COMPLETED:-}" ] || show_logs >&2
	return 0
}

# fixture NAME: path below $PROVA_FIXTURES; the test is skipped where there is none.
fixture() {
	[ -n "${PROVA_FIXTURES:-}" ] || skip "PROVA_FIXTURES is not set"
	[ -e "$PROVA_FIXTURES/$1" ] || skip "there is no fixture $1"
	echo "$PROVA_FIXTURES/$1"
}

# run_dir: directories run, state and blobs here, and a prova.conf for chain "test" whose Coordinator
# and L2 node are at $COORDINATOR_URL and $L2_URL (devnet's; any that refuses by default), with one provider
# "one" that runs $PROVER.  $CONF is its path.  More sections may be appended to it; -O changes what is there.
run_dir() {
	mkdir -p run state/ledger blobs
	CONF=$PWD/prova.conf
	cat >"$CONF" <<END
[prova]
run_dir = run
state_dir = state
blobs_dir = blobs
ledger = ipc://run/ledger
store = state/ledger/prova.db

[chain test]
coordinator = test
l2 = test
verify = none

[coordinator test]
url = ${COORDINATOR_URL:-http://127.0.0.1:1}
identities = ${IDENTITIES:-4}
poll = 50ms
stagger = 1ms
backoff_max = 500ms

[l2 test]
urls = ${L2_URL:-http://127.0.0.1:1}

[provider one]
command = ${PROVER:-$ROOT/pipelines/plugins/sha-prover}
slots = ${SLOTS:-4}
poll = 20ms
price = 0.25

[stage]
log = debug
END
	export CONF
}
