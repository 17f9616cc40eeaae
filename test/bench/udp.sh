# shellcheck shell=bash
# Datagrams: sourced by run.sh, never run.
#
# The highest rate without loss is searched by bisection: runs of UDP_SECONDS, one
# record a datagram, from as many sockets as there are trackers, evenly paced.  A
# rate is without loss when every datagram of a run was stored; one that loses no
# more than a hundredth is tried once more, since another process of this machine
# may have had the CPU.
#
# The listener's socket is made to get what Debian's default (net.core.rmem_max =
# 212992) would let it have: by pt621.udp_receive_buffer where there is such a
# setting, else by lowering net.core.rmem_max while the port opens.

UDP_TRACKERS=500
DEFAULT_RMEM=212992
RMEM_MAX=/proc/sys/net/core/rmem_max
RMEM_KEPT=

restore_rmem_max() {
	[ -z "$RMEM_KEPT" ] || say "$RMEM_KEPT" >"$RMEM_MAX"
	RMEM_KEPT=
}

# Opens the port with a buffer for datagrams as Debian's default gives; false when
# that cannot be done.
shrink_udp_buffer() {
	if has_setting pt621.udp_receive_buffer; then
		ask -c "ALTER SYSTEM SET pt621.udp_receive_buffer = '$((DEFAULT_RMEM / 1024))kB'" \
			-c 'SELECT pg_reload_conf()' >/dev/null
		wait_for "SELECT setting = '$((DEFAULT_RMEM / 1024))' FROM pg_settings WHERE name = 'pt621.udp_receive_buffer'"
		reopen_port
		return
	fi
	[ "$(cat "$RMEM_MAX")" -gt "$DEFAULT_RMEM" ] || return 0
	[ -w "$RMEM_MAX" ] || return 1
	RMEM_KEPT=$(cat "$RMEM_MAX")
	say "$DEFAULT_RMEM" >"$RMEM_MAX"
	reopen_port
	restore_rmem_max
}

enlarge_udp_buffer() {
	if has_setting pt621.udp_receive_buffer; then
		ask -c 'ALTER SYSTEM RESET pt621.udp_receive_buffer' -c 'SELECT pg_reload_conf()' >/dev/null
	fi
	reopen_port
}

# Sends datagrams at a rate for some seconds.  Sets LOST, COUNTED (what the
# listener says was dropped) and PACED, the rate that it came to.
udp_run() {
	local rate=$1 seconds=$2 each stored dropped
	each=$((rate * seconds / UDP_TRACKERS))
	forget
	read -r stored dropped <<<"$(ask -c 'SELECT bench.stored(), bench.dropped()')"
	load_send "$NEXT" "$each" 1 "$rate" 0
	NEXT=$((NEXT + each))
	ask -c "SELECT bench.settle($((stored + dropped + SENT)))" >/dev/null
	LOST=$((SENT - $(ask -c 'SELECT bench.stored()') + stored))
	COUNTED=$(($(ask -c 'SELECT bench.dropped()') - dropped))
	require_rows $((SENT - LOST)) $((SENT - LOST))
	[ "$LOST" -eq "$COUNTED" ] || die "$LOST datagrams were lost, but $COUNTED were counted"
	PACED=$(calculate "$SENT / ($LAST - $FIRST) * 1e6" %.0f)
}

# Tells whether nothing is lost at a rate.
udp_holds() {
	udp_run "$1" "$UDP_SECONDS"
	[ "$LOST" -eq 0 ] || [ $((LOST * 100)) -gt "$SENT" ] || udp_run "$1" "$UDP_SECONDS"
	[ "$LOST" -eq 0 ]
}

# Sets TCP_RATE, that of TCP with one record a write.
tcp_rate() {
	local round each=$((RECORDS / TRACKERS)) took=()
	load_open tcp "$TRACKERS"
	introduce "$TRACKERS"
	for ((round = 0; round < LIVE_ROUNDS; round++)); do
		forget
		timed_load "$RECORDS" "$NEXT" "$each" 1 0 0
		NEXT=$((NEXT + each))
		took+=("$TOOK")
	done
	load_close
	TCP_RATE=$(calculate "$RECORDS / $(median "${took[@]}")" %.0f)
}

bench_udp() {
	local low=0 high best=0 middle
	live_start
	tcp_rate
	if ! shrink_udp_buffer; then
		say "# udp: left out, since $RMEM_MAX cannot be lowered to Debian's default"
		return 0
	fi
	load_open udp "$UDP_TRACKERS"
	introduce "$UDP_TRACKERS"
	high=$((TCP_RATE * 5 / 4))
	while [ $((high - low)) -gt $((TCP_RATE / 40)) ]; do
		middle=$(((low + high) / 2))
		if udp_holds "$middle"; then
			low=$middle
			best=$PACED
		else
			high=$middle
		fi
	done
	udp_run $((TCP_RATE * 3)) 1
	[ "$LOST" -gt 0 ] || say "# udp: even the overload lost nothing"
	load_close
	say "# $UDP_TRACKERS sockets, one record a datagram; a buffer of $((DEFAULT_RMEM / 1024)) kB"
	figure udp_rate_without_loss "$best" "datagrams/s"
	figure udp_tcp_rate "$TCP_RATE" "records/s, one a write"
	figure udp_vs_tcp_ratio "$(calculate "$best / $TCP_RATE")"
	figure udp_overload_sent "$PACED" "datagrams/s for 1 s"
	figure udp_overload_lost "$(calculate "100 * $LOST / $SENT" %.1f)" "% of $SENT; all $COUNTED of them in datagrams_dropped"
	enlarge_udp_buffer
}
