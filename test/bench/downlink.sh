# shellcheck shell=bash disable=SC2034
# What goes to trackers: sourced by run.sh, never run.
#
# Commands: each carries the time at which its INSERT begins, and the trackers, which
# heard.pl is, note when its bytes came; so the figure has the commit in it.
#
# Photos: the same records as in latency.sh, alone and while as many trackers as there
# are photos, which pt621-sim is, have announced one each at about the same time.

bench_commands() {
	local count p50 p99 worst
	live_start
	helper_start perl test/bench/heard.pl "$PORT" "$COMMAND_TRACKERS"
	wait_for "SELECT count(*) = $COMMAND_TRACKERS FROM pt621.device WHERE ident LIKE '77%'"
	ask -c "CALL bench.order($COMMANDS, 0.02)"
	wait_for "SELECT count(*) = 0 FROM pt621.command WHERE state <> 'sent'"
	helper_stop
	read -r count p50 p99 worst <<<"$HELPER_SAYS"
	[ "$count" -eq "$COMMANDS" ] || die "$count of $COMMANDS commands were heard"
	say "# $COMMANDS commands to $COMMAND_TRACKERS connected trackers, 50 a second, from INSERT to the bytes at the tracker"
	figure command_p50 "$p50" ms
	figure command_p99 "$p99" ms
	figure command_max "$worst" ms
}

# Runs the fleet that has the photos, as soon as the records beside it have begun.
photo_fleet() {
	wait_for 'SELECT count(*) > 0 FROM pt621.position'
	exec "$BUILD/tool/pt621-sim" --port "$PORT" --trackers "$PHOTOS" --first-id 5000001 --records 1 --photos 1 \
		--photo-size "$PHOTO_SIZE" --photos-asked --fast --hold 600 --quiet --photo-truth "$BUILD/bench/photos.csv"
}

bench_photos() {
	local fleet quiet began took states wrong seconds=$PHOTO_SECONDS
	live_start
	make -s "$BUILD/tool/pt621-sim"
	load_open tcp "$TRACKERS"
	introduce "$TRACKERS"
	latency_run 5000 "$LATENCY_SECONDS"
	quiet=$P99
	photo_fleet &
	fleet=$!
	latency_run 5000 "$seconds" "$PHOTOS"
	wait_for "SELECT count(*) FILTER (WHERE state = 'complete') = $PHOTOS OR count(*) FILTER (WHERE state = 'failed') > 0 FROM pt621.photo"
	kill -TERM "$fleet"
	wait "$fleet" || true
	load_close
	took=$(ask -c "SELECT round(extract(epoch FROM max(last_piece_at) - min(announced_at)), 1) FROM pt621.photo")
	states=$(ask -c "SELECT string_agg(n || ' ' || state, ', ') FROM (SELECT state, count(*) AS n FROM pt621.photo GROUP BY state) s")
	ask -c 'CREATE TEMP TABLE truth (ident text, photo integer, camera text, size integer, "time" timestamptz, bytes bytea)' \
		-c "\\copy truth FROM '$BUILD/bench/photos.csv' (FORMAT csv, HEADER)" \
		-c "SELECT count(*) FROM truth t LEFT JOIN pt621.device d ON d.ident = t.ident
		    LEFT JOIN pt621.photo p ON p.device_id = d.id AND p.jpeg = t.bytes AND p.sha256 = sha256(t.bytes)
		    WHERE p.id IS NULL" >"$BUILD/bench/wrong"
	wrong=$(tail -n 1 "$BUILD/bench/wrong")
	say "# $PHOTOS photos of $PHOTO_SIZE bytes at once, beside 5000 records/s for $seconds s; $LATENCY_SECONDS s without"
	figure photos_took "$took" "s from the first announcement to the last piece; $states"
	figure photos_wrong "$wrong" "of $PHOTOS are not byte for byte as sent"
	figure photos_quiet_p99 "$quiet" ms
	figure photos_p99 "$P99" "ms (p50 $P50, max $WORST)"
	figure photos_p99_ratio "$(calculate "$P99 / $quiet")" "of the time without photos"
}
