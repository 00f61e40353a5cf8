# systemd.bats - the units, without a running systemd: what systemd-analyze says of them, and that they agree with the
# programs and with what is installed.
load helper

# The units as they are installed, below $BATS_FILE_TMPDIR; the programs are links to those built.
setup_file() {
	local unit
	mkdir -p "$BATS_FILE_TMPDIR/units"
	for unit in "$ROOT"/systemd/*.service "$ROOT"/systemd/*.target; do
		sed "s,/usr/bin/,$PROVA_BUILD/bin/," "$unit" >"$BATS_FILE_TMPDIR/units/${unit##*/}"
	done
}

@test "every unit is accepted by systemd-analyze verify" {
	command -v systemd-analyze >/dev/null || skip "there is no systemd-analyze"
	export SYSTEMD_UNIT_PATH=$BATS_FILE_TMPDIR/units:
	run -0 systemd-analyze verify --man=no --recursive-errors=one "$BATS_FILE_TMPDIR"/units/*
	assert_output ""
}

@test "every unit is tight: exposure at most 1.0 without a network, 2.0 with one" {
	command -v systemd-analyze >/dev/null || skip "there is no systemd-analyze"
	for unit in "$BATS_FILE_TMPDIR"/units/*.service; do
		case ${unit##*/} in
		prova-ledger.service | prova-allocate.service) most=10 ;;
		*) most=20 ;;
		esac
		run -0 systemd-analyze security --offline=true --no-pager --threshold=$most "$unit"
	done
}

@test "what starts foreign programs says what it leaves out; nothing else leaves it out" {
	for unit in "$ROOT"/systemd/*.service; do
		case ${unit##*/} in
		prova-dispatch-exec@.service | prova-prover@.service | prova-submit.service)
			for word in PrivateDevices ProcSubset=pid MemoryDenyWriteExecute @resources; do
				run -0 grep -E "^#.*$word" "$unit"
				run -1 grep -E "^[^#]*$word" "$unit"
			done ;;
		*)
			for line in PrivateDevices=yes ProcSubset=pid MemoryDenyWriteExecute=yes "SystemCallFilter=~@privileged @resources"; do
				run -0 grep -Fx "$line" "$unit"
			done ;;
		esac
	done
}

@test "only what calls others has a network" {
	for unit in "$ROOT"/systemd/*.service; do
		case ${unit##*/} in
		prova-ledger.service | prova-allocate.service) run -0 grep -Fx PrivateNetwork=yes "$unit" ;;
		*) run -1 grep -F PrivateNetwork=yes "$unit" ;;
		esac
	done
}

@test "restarts: always after trouble, never after a wrong call" {
	for unit in "$ROOT"/systemd/*.service; do
		for line in Type=notify Restart=on-failure RestartSec=2s RestartPreventExitStatus=100 StartLimitIntervalSec=0 WatchdogSec=30s; do
			run -0 grep -Fx "$line" "$unit"
		done
	done
}

@test "every stage has a unit, and its program takes the call" {
	for program in "$PROVA_BUILD"/bin/prova-*; do
		name=${program##*/}
		if [ "$name" = prova-devnet ]; then continue; fi
		units=("$ROOT"/systemd/"$name".service "$ROOT"/systemd/"$name"@.service)
		unit=${units[0]}
		[ -e "$unit" ] || unit=${units[1]}
		assert_file_exists "$unit"
		run -0 sed -n 's,^ExecStart=/usr/bin/,,p' "$unit"
		door=()		# the settings' only provider has a command
		[ "$name" != prova-dispatch-coordinator ] || door=(-O provider:demo.listen=:8390)
		# shellcheck disable=SC2086 # a call's words
		run -0 ${output//%i/demo} -c "$ROOT/pipelines/prova.conf" "${door[@]}" -n
	done
}

@test "users of units are those of sysusers; directories are those of the settings" {
	sed -n 's/^User=//p' "$ROOT"/systemd/*.service | sort -u >users
	assert_file_not_empty users
	while read -r user; do
		run -0 grep -E "^u $user " "$ROOT/systemd/prova.sysusers"
		run -0 grep -E "^m $user prova$" "$ROOT/systemd/prova.sysusers"
	done <users
	for key in run_dir state_dir blobs_dir; do
		dir=$(prova-ledger -c "$ROOT/pipelines/prova.conf" -d | sed -n "s/^prova.* $key = //p")
		run -0 grep -E "^d $dir " "$ROOT/systemd/prova.tmpfiles"
	done
}

@test "sysusers and tmpfiles are understood" {
	command -v systemd-sysusers >/dev/null || skip "there is no systemd-sysusers"
	[ "$(id -u)" -eq 0 ] || skip "not root"
	mkdir -p root/etc root/usr/lib/{sysusers,tmpfiles}.d
	cp "$ROOT/systemd/prova.sysusers" root/usr/lib/sysusers.d/prova.conf
	cp "$ROOT/systemd/prova.tmpfiles" root/usr/lib/tmpfiles.d/prova.conf
	run -0 systemd-sysusers --root="$PWD/root"
	run -0 grep -E '^prova:.*:.*prova-ledger' root/etc/group
	command -v systemd-tmpfiles >/dev/null || skip "there is no systemd-tmpfiles"
	run -0 systemd-tmpfiles --root="$PWD/root" --create --prefix=/run/prova --prefix=/var/lib/prova
	assert_equal "$(stat -c %a root/run/prova root/var/lib/prova root/var/lib/prova/blobs root/var/lib/prova/ledger | xargs)" "3770 3770 2770 700"
}
