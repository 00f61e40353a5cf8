# ground.bats - what every other test stands on: packages, helper, the fuzz targets' replay.
# shellcheck disable=SC2030,SC2031 # a test's output is its own
load helper

@test "setup says nothing when nothing is missing" {
	run -0 "$ROOT/pipelines/setup" -n
	assert_output ""
}

@test "setup without root and sudo says what to install" {
	[ -x /usr/bin/setpriv ] || skip "no setpriv"
	[ "$(id -u)" -eq 0 ] || skip "not root"
	mkdir -p tree/pipelines bin
	cp "$ROOT/pipelines/setup" tree/pipelines/
	echo "no-such-package # wanted" >tree/pipelines/packages
	ln -s /usr/bin/{dpkg-query,id,sed,dirname} bin/
	chmod 755 . tree tree/pipelines
	cp -r tree bin "$BATS_RUN_TMPDIR/"
	chmod 755 "$BATS_RUN_TMPDIR"
	run -111 setpriv --reuid=65534 --regid=65534 --clear-groups env PATH="$BATS_RUN_TMPDIR/bin" /bin/sh "$BATS_RUN_TMPDIR/tree/pipelines/setup" -n
	assert_output --partial "installing no-such-package"
	assert_output --partial "apt-get install no-such-package"
}

@test "what was spawned is ended, also when it is stopped" {
	spawn sleeper sleep 1000
	pid=${PIDS[sleeper]}
	wait_for alive sleeper
	kill -STOP "$pid"
	stop_all
	run -1 kill -0 "$pid"
}

@test "wait_for gives up and says on what" {
	run -1 wait_for -s 0 false
	assert_output "waited 0 s for: false"
}

@test "the run directory's settings are accepted by every stage" {
	run_dir
	assert_file_exists "$CONF"
	for program in "$PROVA_BUILD"/bin/prova-*; do
		case ${program##*/} in prova-devnet | prova-prover | prova-dispatch-*) continue ;; esac
		[ -x "$program" ] || continue
		run -0 "$program" -c "$CONF" -n
	done
}

# judged STATUS COUNT: what tests/lint/blind says of the file from standard input
judged() {
	cat >judged.bats
	run -"$1" "$ROOT/tests/lint/blind" judged.bats
	assert_equal "$(grep -c . <<<"$output")" "$2"
}

@test "an assertion that cannot fail is found, whatever its shape" {
	judged 1 16 <<'END'
bad() {
	! grep -q x file
	for a in b; do ! grep -q "$a" file; done
	if true; then ! false; fi
	case $x in a) ! true ;; esac
	f() { ! true; echo done; }
	grep -q x file && grep -q y file
	a | b \
		&& c
	f() { a && b; c; }
	run grep x file
	run --separate-stderr grep x file
	A=b run grep x file
	assert_equal "$a" "$(b | c)" || :
	run -0 grep x file || true
	assert_output x | cat
	run -0 grep x | cat
	sqlite3 db "INSERT INTO t
		VALUES (1)" || skip "no sqlite3"
}
END
	judged 1 1 <<'END'
worse() {
	echo "there is no end
	! true
}
END
	judged 0 0 <<'END'
good() {
	run ! grep -q x file
	run -1 --separate-stderr grep x file
	A=b run -0 grep x file
	if ! a || b && c; then return 1; fi
	until ! a; do sleep 1; done
	f() { a; b && c; }
	(a && b)
	x=$(a && b)
	[[ $a == *x* && $b ]]
	assert_line "a && b | c || :"	# ! this && that
	cat >file <<-CONF
	! a && b
	CONF
	assert_output "a
	! b && c"
	[ "$x" = y ] || skip "no y"
	command -v jq >/dev/null || skip "no jq"
	stop ledger KILL || :
	[ -x a ] || b 2>/dev/null || :
	echo "$output" | jq -e '.ok and .n == 0' || fail "it has $n"
}
END
}
