#!/usr/bin/env bash
# Ends the server of `make run` and deletes it; where none is, nothing happens.
set -euo pipefail
# shellcheck source=test/tool/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=test/tool/run-lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/run-lib.sh"

if ! find_run_dir; then
	say "no server of \`make run\` here"
	exit 0
fi
if ! is_root && [ ! -O "$RUN_DIR" ]; then
	die "the server in $RUN_DIR was started by another user: sudo make stop"
fi
was=gone
! run_is_alive || was=stopped
run_remove
if [ "$was" = stopped ]; then
	say "stopped; its data is deleted"
else
	say "it was not running; what it left is deleted"
fi
