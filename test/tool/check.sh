#!/usr/bin/env bash
# Runs the tests.  One line per part; what failed is shown in full; the last
# line is always "N passed, N failed", the sum of the single tests.  A part
# that is not made of tests (a build) counts only when it fails.
#
#   check.sh [unit] [fuzz] [regress] [tap]      default: all, packages first
#   check.sh soak     PERMUTATIONS, SEED and DAY say of what; SOAK=061_reports_any_order
#                     takes that test, instead of 060_any_order
#
#   TESTS='name*'     only the tests whose file is so called, without suffix
#   FUZZ_SECONDS=5    for each harness
#   FUZZ_CORPUS=DIR   where the fuzzers keep what they learn; default: nowhere
set -euo pipefail
# shellcheck source=test/tool/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$PT621_ROOT"

# LANG too: pg_regress drops LC_ALL.
unset LC_COLLATE LC_CTYPE LC_MESSAGES LC_MONETARY LC_NUMERIC LC_TIME
export LC_ALL=C.UTF-8 LANG=C.UTF-8

BUILD=build
LOGS=$BUILD/check
JOBS=$(nproc)
FUZZ_SECONDS=${FUZZ_SECONDS:-5}
passed=0 failed=0    # all parts
good=0 bad=0         # the part that runs
built=yes            # or no: what is installed is not what is here
WORK=                # the database user's copy of this tree

# The jobserver of the make that called us is out of reach.
unset MAKEFLAGS MFLAGS MAKELEVEL

# Ends with the closing line, whatever happened: also when a part is cut short
# whose output goes to a log.
exec 3>&1
finish() {
	local status=$?
	exec >&3 2>&1
	if [ -n "$WORK" ]; then
		stop_clusters_below "$WORK"
		if [ "$failed" -eq 0 ]; then
			rm -rf "$WORK"
		else
			say "kept for a look: $WORK"
		fi
	fi
	if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then
		failed=1
	fi
	if [ "$failed" -gt 0 ] || [ "$passed" -eq 0 ]; then
		status=1
	fi
	say "$passed passed, $failed failed" | tee "$LOGS/result"
	exit "$status"
}

# Runs one part with its output in a log.  A part adds to good and bad; when it
# returns an error without having counted one, it has itself failed.
part() {
	local name=$1 log=$LOGS/$1.log began=$SECONDS verdict
	good=0 bad=0
	if ! "part_${name//-/_}" >"$log" 2>&1 </dev/null && [ "$bad" -eq 0 ]; then
		bad=1
	fi
	verdict="$good passed, $bad failed"
	if [ "$((good + bad))" -eq 0 ]; then
		verdict=$(tail -n 1 "$log" | grep -x 'no tests' || say ok)
	elif [ "$good" -eq 0 ]; then
		verdict=FAILED
	fi
	printf '%-12s %s (%d s)\n' "$name" "$verdict" "$((SECONDS - began))"
	if [ "$bad" -gt 0 ]; then
		sed 's/^/    /' "$log"
	fi
	passed=$((passed + good))
	failed=$((failed + bad))
	[ "$bad" -eq 0 ]
}

# Prints those of the files that TESTS asks for.
pick() {
	local file name
	for file in "$@"; do
		name=${file##*/}
		# shellcheck disable=SC2053 # TESTS is a pattern
		if [ -e "$file" ] && [[ ${name%.*} == ${TESTS:-*} ]]; then
			say "$file"
		fi
	done
}

# Tells whether a test's program is what its sources say; else it has failed.
up_to_date() {
	make -q "$1" >/dev/null 2>&1 && return
	say "$1 does not build"
	bad=$((bad + 1))
	return 1
}

# Takes over the counts that tap.pl wrote.
add_counts() {
	local p f
	read -r p f <"$1" || return 1
	good=$((good + p)) bad=$((bad + f))
}

# Makes the database user's copy of this tree, once.
stage() {
	[ -z "$WORK" ] || return 0
	WORK=$(db_user_dir)
	tar -c --exclude=./.git --exclude="./$BUILD/*/obj" --exclude="./$BUILD/obj" \
		--exclude="./$BUILD/clang" --exclude="./$BUILD/unit" \
		--exclude="./$BUILD/fuzz" --exclude="./$BUILD/check" --exclude="./$BUILD/run" . |
		as_db_user tar -x -C "$WORK"
	as_db_user mkdir "$WORK/tmp"
}

part_packages() {
	bash test/tool/deps.sh
}

part_build() {
	make -s -j "$JOBS" all tools
}

# A second opinion, on warnings above all.
part_build_clang() {
	make -s -k -j "$JOBS" objects CC=clang BUILD="$BUILD/clang"
}

part_install() {
	sudo_if_needed make -s install ${PG_CONFIG:+PG_CONFIG="$PG_CONFIG"}
}

part_unit() {
	local tests=() ready=() test
	mapfile -t tests < <(pick test/unit/test_*.c)
	[ ${#tests[@]} -gt 0 ] || { say 'no tests' && return; }

	make -s -k -j "$JOBS" unit-tests || true
	for test in "${tests[@]}"; do
		test=$BUILD/unit/$(basename "$test" .c)
		up_to_date "$test" && ready+=("$test")
	done
	[ ${#ready[@]} -gt 0 ] || return 1

	rm -f "$LOGS/unit.counts"
	perl test/tool/tap.pl "$LOGS/unit.counts" \
		"timeout -k 10 300 ${NO_ASLR[*]}" "${ready[@]}" || true
	add_counts "$LOGS/unit.counts"
}

part_fuzz() {
	local harnesses=() source harness name corpus log seeds
	mapfile -t harnesses < <(pick test/fuzz/fuzz_*.c)
	[ ${#harnesses[@]} -gt 0 ] || { say 'no tests' && return; }

	make -s -k -j "$JOBS" fuzzers || true
	for source in "${harnesses[@]}"; do
		harness=$BUILD/fuzz/$(basename "$source" .c)
		up_to_date "$harness" || continue
		name=${harness##*/fuzz_}
		log=$LOGS/fuzz_$name.log

		# libFuzzer writes to the first folder and only reads the others: the
		# corpus in the tree stays what it is.
		corpus=${FUZZ_CORPUS:-$LOGS/corpus}/$name
		[ -n "${FUZZ_CORPUS:-}" ] || rm -rf "$corpus"
		mkdir -p "$corpus"
		seeds=()
		[ ! -d "test/fuzz/corpus/$name" ] || seeds+=("test/fuzz/corpus/$name")
		[ ! -f test/fuzz/pt621.dict ] || seeds+=(-dict=test/fuzz/pt621.dict)

		if "${NO_ASLR[@]}" "$harness" -max_total_time="$FUZZ_SECONDS" -timeout=10 \
			-artifact_prefix="$BUILD/fuzz/$name-" "$corpus" "${seeds[@]}" \
			>"$log" 2>&1; then
			good=$((good + 1))
			say "$name: $(tail -n 1 "$log")"
		else
			bad=$((bad + 1))
			say "$name failed:"
			tail -n 100 "$log"
		fi
	done
}

part_regress() {
	local files=() tests=() file name out
	mapfile -t files < <(pick sql/*.sql)
	[ ${#files[@]} -gt 0 ] || { say 'no tests' && return; }
	[ "$built" = yes ] || { say 'not run: the build or its installation failed' && return 1; }
	stage

	out=$WORK/regress
	as_db_user mkdir -p "$out" "$WORK/expected"
	for file in "${files[@]}"; do
		name=$(basename "$file" .sql)
		tests+=("$name")
		# pg_regress gives up on a test without an answer; this shows it.
		as_db_user touch "$WORK/expected/$name.out"
	done

	# The port stays closed: what these tests ask needs no listener.
	as_db_user tee "$out/pt621.conf" >/dev/null <<-CONF
		shared_preload_libraries = 'pt621'
		pt621.listen_addresses = ''
		fsync = off
	CONF
	(
		cd "$WORK"
		as_db_user env TMPDIR="$WORK/tmp" timeout -k 30 1800 "$(pg_testdir)/regress/pg_regress" \
			--temp-instance="$out/instance" --temp-config="$out/pt621.conf" \
			--bindir="$(pg_bindir)" --inputdir="$WORK" --outputdir="$out" \
			--encoding=UTF8 --dbname=pt621_regress "${tests[@]}"
	) >"$LOGS/regress.out" 2>&1 || true
	cat "$LOGS/regress.out"

	good=$(grep -c -E '^test .* \.\.\. +ok|^ok ' "$LOGS/regress.out") || true
	bad=$((${#tests[@]} - good))

	# For `cp build/check/results/NAME.out expected/`, after a look.
	rm -rf "$LOGS/results"
	cp -r "$out/results" "$LOGS/results" || true
	if [ "$bad" -gt 0 ]; then
		cat "$out/regression.diffs" || true
		say "--- what the server had to say"
		if [ -e "$out/log/postmaster.log" ]; then
			grep -E 'PANIC|FATAL|TRAP|terminated by' "$out/log/postmaster.log" || true
		else
			tail -n 15 "$out/log/initdb.log" || true
		fi
	fi
}

part_tap() {
	local tests=() test testdir log
	mapfile -t tests < <(pick test/t/*.pl)
	[ ${#tests[@]} -gt 0 ] || { say 'no tests' && return; }
	[ "$built" = yes ] || { say 'not run: the build or its installation failed' && return 1; }
	stage

	testdir=$(pg_testdir)
	(
		cd "$WORK"
		as_db_user env PATH="$(pg_bindir):$PATH" TESTDIR="$WORK" TMPDIR="$WORK/tmp" \
			PG_REGRESS="$testdir/regress/pg_regress" PERL5LIB="$testdir/perl:$WORK/test/t" \
			perl test/tool/tap.pl "$WORK/tap.counts" 'timeout -k 10 900 perl' "${tests[@]}"
	) || true
	add_counts "$WORK/tap.counts" || return 1

	while read -r test; do
		test=$(basename "$test" .pl)
		for log in "$WORK/tmp_check/log/regress_log_$test" "$WORK/tmp_check/log/$test"_*.log; do
			[ -e "$log" ] || continue
			say "--- the end of ${log##*/}"
			tail -n 40 "$log"
		done
	done < <(tail -n +2 "$WORK/tap.counts")
}

# One test for as long as it takes, and what it says as it says it.
part_soak() {
	local testdir
	[ "$built" = yes ] || { say 'not run: the build or its installation failed' && return 1; }
	stage

	testdir=$(pg_testdir)
	if (
		cd "$WORK"
		as_db_user env PATH="$(pg_bindir):$PATH" TESTDIR="$WORK" TMPDIR="$WORK/tmp" \
			PG_REGRESS="$testdir/regress/pg_regress" PERL5LIB="$testdir/perl:$WORK/test/t" \
			perl "test/t/${SOAK:-060_any_order}.pl" >&3 2>&3
	); then
		good=1
	else
		bad=1
	fi
}

mkdir -p "$LOGS"
rm -f "$LOGS/result"
trap finish EXIT
trap 'exit 1' INT TERM HUP

# On kernels that randomize addresses by more than they can bear, sanitizers of
# Debian 12's age crash at random; some containers forbid to switch it off.
NO_ASLR=(env)
if setarch -R true 2>/dev/null; then
	NO_ASLR=(setarch -R)
fi

if [ $# -eq 0 ]; then
	set -- unit fuzz regress tap
	part packages || true
	part build-clang || true
	part build && part install || built=no
elif [[ " $* " =~ \ (regress|tap|soak)\  ]]; then
	part build && part install || built=no
fi
for name in "$@"; do
	declare -F "part_$name" >/dev/null || die "no such part: $name"
	part "$name" || true
done
