#!/usr/bin/env bash
# Plays captured frames (test/data/captured.csv) to a listener.
#
#   send-frames.sh tcp|udp PORT [HOST]      HOST: 127.0.0.1
#
# Each row goes by a connection, or from a UDP socket, of its own; but for the
# FORUM rows, which are one conversation and keep their order: there are deltas
# among them, one of which comes before the record that it refers to.
# Prints how many bytes went out.
set -euo pipefail
# shellcheck source=test/tool/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

usage='usage: send-frames.sh tcp|udp PORT [HOST]'
transport=${1:?$usage} port=${2:?$usage} host=${3:-127.0.0.1}
case $transport in
	tcp | udp) ;;
	*) die "$usage" ;;
esac

# Writes bytes by one write: a datagram, for UDP.  The shell itself would write
# line by line.
send() {
	printf '%b' "$(sed 's/../\\x&/g' <<<"$1")" | dd bs=64K iflag=fullblock status=none >&3
}

open() { exec 3<>"/dev/$transport/$host/$port"; }

total=0 forum=no
while IFS=, read -r id _ hex _; do
	[ "$id" != id ] || continue
	if [[ $id != FORUM-* ]]; then
		open
		forum=no
	elif [ "$forum" = no ]; then
		open
		forum=yes
	fi
	send "$hex"
	total=$((total + ${#hex} / 2))
done <"$PT621_ROOT/test/data/captured.csv"
say "$total"
