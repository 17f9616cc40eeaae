# shellcheck shell=bash
# Where the server of `make run` is: for run.sh and stop.sh, after lib.sh.
#
# It lives in one folder, RUN_DIR: data/ is the cluster, log what the server
# says, tree the path of the source tree that it belongs to, port and pgport its
# ports; its socket is there too.  build/run is that folder, or links to it.

# shellcheck disable=SC2034 # for those who source this
RUN_LINK=$PT621_ROOT/build/run
RUN_DIR=

# Sets RUN_DIR to the folder of this tree's server; false when there is none.
# A folder elsewhere is found even when `make clean` has taken the link away.
find_run_dir() {
	local tree
	if [ -d "$RUN_LINK" ]; then
		RUN_DIR=$(cd "$RUN_LINK" && pwd -P)
		return
	fi
	for tree in /tmp/pt621-??????/tree; do
		if [ -r "$tree" ] && [ "$(cat "$tree")" = "$PT621_ROOT" ]; then
			RUN_DIR=${tree%/tree}
			return
		fi
	done
	return 1
}

# Runs a command as the user whose server it is.
as_run_owner() {
	local owner
	owner=$(stat -c %U "$RUN_DIR")
	if [ "$owner" = "$(id -un)" ]; then
		"$@"
	else
		(cd / && runuser -u "$owner" -- "$@")
	fi
}

# Tells whether its server runs.  A process that merely got the number which a
# dead server has left behind does not work in its folder.
run_is_alive() {
	local pid
	pid=$(as_run_owner head -n 1 "$RUN_DIR/data/postmaster.pid" 2>/dev/null) || return 1
	[[ $pid =~ ^[0-9]+$ ]] &&
		[ "$(as_run_owner readlink "/proc/$pid/cwd")" = "$RUN_DIR/data" ]
}

# Ends its server, and takes the folder away.
run_remove() {
	if run_is_alive; then
		as_run_owner "$(pg_bindir)/pg_ctl" -D "$RUN_DIR/data" -m fast -s stop ||
			die "the server in $RUN_DIR does not stop; see $RUN_DIR/log"
	fi
	rm -rf "$RUN_DIR"
	rm -f "$RUN_LINK" 2>/dev/null || true
}
