-- 31-comments.sql: what the tables and columns mean.

CREATE FUNCTION @extschema@.pt621_comment_tables()
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    COMMENT ON TABLE pt621.layout IS 'version of the tables; one row';
    COMMENT ON COLUMN pt621.layout.version IS 'layout version';
    COMMENT ON COLUMN pt621.layout.ready_for IS 'the installation that pt621_ready() was called in; in any other the port stays closed';

    COMMENT ON TABLE pt621.device IS 'one row per tracker';
    COMMENT ON COLUMN pt621.device.ident IS 'id as the tracker sends it, leading zeros kept';
    COMMENT ON COLUMN pt621.device.imei IS 'IMEI, where it is not the id';
    COMMENT ON COLUMN pt621.device.name IS 'your name for it';
    COMMENT ON COLUMN pt621.device.model IS 'model, free text';
    COMMENT ON COLUMN pt621.device.groups IS 'groups that it belongs to, free text';
    COMMENT ON COLUMN pt621.device.time_zone IS 'time zone of its days';
    COMMENT ON COLUMN pt621.device.ignition_input IS 'number of the input that is wired to ignition, 1 = leftmost; NULL = none';
    COMMENT ON COLUMN pt621.device.odometer_factor IS 'metres per unit of the odometer that it sends';
    COMMENT ON COLUMN pt621.device.status_order IS 'meaning of the three gsb digits from left to right: b battery, g GSM, s satellites';
    COMMENT ON COLUMN pt621.device.allowed_peers IS 'networks that it may report from; NULL = any';
    COMMENT ON COLUMN pt621.device.enabled IS 'false: what it sends is archived and goes no further';
    COMMENT ON COLUMN pt621.device.created_at IS 'when it was registered';

    COMMENT ON TABLE pt621.device_state IS 'one row per tracker: what changes with every record';
    COMMENT ON COLUMN pt621.device_state.fix_time IS 'time of the last valid fix, UTC';
    COMMENT ON COLUMN pt621.device_state.fix_code IS 'code of that record';
    COMMENT ON COLUMN pt621.device_state.fix_digest IS 'digest of that record';
    COMMENT ON COLUMN pt621.device_state.geom IS 'place of the last valid fix';
    COMMENT ON COLUMN pt621.device_state.speed_kmh IS 'speed at the last valid fix, km/h';
    COMMENT ON COLUMN pt621.device_state.course IS 'course at the last valid fix, degrees';
    COMMENT ON COLUMN pt621.device_state.newest_time IS 'newest plausible time of any record, UTC';
    COMMENT ON COLUMN pt621.device_state.ignition IS 'ignition input in the newest record that has it';
    COMMENT ON COLUMN pt621.device_state.ignition_time IS 'time of that record, UTC';
    COMMENT ON COLUMN pt621.device_state.driver IS 'driver in the newest record that has one';
    COMMENT ON COLUMN pt621.device_state.driver_time IS 'time of that record, UTC';
    COMMENT ON COLUMN pt621.device_state.bases IS 'last records as sent, oldest first: what deltas refer to';
    COMMENT ON COLUMN pt621.device_state.last_seen IS 'when anything was last received';
    COMMENT ON COLUMN pt621.device_state.last_conn IS 'connection it came by, as in frame';
    COMMENT ON COLUMN pt621.device_state.last_transport IS 'transport it came by, as in frame';
    COMMENT ON COLUMN pt621.device_state.last_peer IS 'address it came from';
    COMMENT ON COLUMN pt621.device_state.last_peer_port IS 'port it came from';

    COMMENT ON COLUMN pt621.device_state.report_interval IS 'usual pause between what is heard, seconds; follows changes slowly';
    COMMENT ON COLUMN pt621.device_state.bound_conn IS 'connection or UDP path that speaks for it: the only one that commands go to';
    COMMENT ON COLUMN pt621.device_state.conflicts IS 'how often another connection claimed it while one was open, see pt621.connection_conflict';
    COMMENT ON COLUMN pt621.device_state.conflict_at IS 'when that was last';
    COMMENT ON COLUMN pt621.device_state.conflict_conn IS 'the connection that claimed it then, as in frame';
    COMMENT ON COLUMN pt621.device_state.conflict_with IS 'the connection that spoke for it until then, as in frame';
    COMMENT ON COLUMN pt621.device_state.conflict_peer IS 'address of the one that claimed it';
    COMMENT ON COLUMN pt621.device_state.conflict_peer_port IS 'port of the one that claimed it';

    COMMENT ON TABLE pt621.frame IS 'archive: one row per unit received, decoded or not; partitioned by month of receipt';
    COMMENT ON COLUMN pt621.frame.received_at IS 'time of receipt';
    COMMENT ON COLUMN pt621.frame.seq IS 'order of receipt within a connection';
    COMMENT ON COLUMN pt621.frame.ident IS 'id of the tracker, from the unit or its connection';
    COMMENT ON COLUMN pt621.frame.device_id IS 'device.id; NULL where no tracker was known';
    COMMENT ON COLUMN pt621.frame.transport IS 'tcp, udp, sql, or what pt621_ingest() was told';
    COMMENT ON COLUMN pt621.frame.peer IS 'address of the sender';
    COMMENT ON COLUMN pt621.frame.peer_port IS 'port of the sender';
    COMMENT ON COLUMN pt621.frame.conn IS 'number of the connection, UDP path or call';
    COMMENT ON COLUMN pt621.frame.bytes IS 'the bytes as received; those of a connection, in order of seq, are all that it sent';
    COMMENT ON COLUMN pt621.frame.record IS 'the record that a delta stands for';
    COMMENT ON COLUMN pt621.frame.error IS 'why nothing came of it, or NULL';
    COMMENT ON COLUMN pt621.frame.decoder IS 'version of pt621 that read it';

    COMMENT ON TABLE pt621.position IS 'one row per record with a place in time, with or without a fix; partitioned by month of fix_time';
    COMMENT ON COLUMN pt621.position.device_id IS 'device.id';
    COMMENT ON COLUMN pt621.position.fix_time IS 'time the tracker gives, UTC; of receipt where that is not plausible (see quality)';
    COMMENT ON COLUMN pt621.position.code IS 'code as sent, see pt621_event()';
    COMMENT ON COLUMN pt621.position.digest IS 'hash of the record''s text: the same record sent twice is one row';
    COMMENT ON COLUMN pt621.position.received_at IS 'time of receipt';
    COMMENT ON COLUMN pt621.position.frame_seq IS 'frame.seq of the unit, with frame.received_at = received_at';
    COMMENT ON COLUMN pt621.position.geom IS 'point, SRID 4326; last known place where not valid';
    COMMENT ON COLUMN pt621.position.valid IS 'the tracker had a fix';
    COMMENT ON COLUMN pt621.position.stored IS 'sent from the tracker''s memory';
    COMMENT ON COLUMN pt621.position.speed_kmh IS 'km/h';
    COMMENT ON COLUMN pt621.position.course IS 'degrees clockwise from north';
    COMMENT ON COLUMN pt621.position.inputs IS 'digital inputs, leftmost = input 1';
    COMMENT ON COLUMN pt621.position.outputs IS 'digital outputs, leftmost = output 1';
    COMMENT ON COLUMN pt621.position.ignition IS 'the input that is wired to ignition; an unwired one reads false';
    COMMENT ON COLUMN pt621.position.adc IS 'analog inputs, raw counts';
    COMMENT ON COLUMN pt621.position.odometer_m IS 'odometer, metres';
    COMMENT ON COLUMN pt621.position.driver IS 'driver or RFID id as sent';
    COMMENT ON COLUMN pt621.position.battery IS 'level 0 to 15';
    COMMENT ON COLUMN pt621.position.gsm IS 'level 0 to 15';
    COMMENT ON COLUMN pt621.position.satellites IS '0 to 15';
    COMMENT ON COLUMN pt621.position.gsb IS 'the three status digits as sent';
    COMMENT ON COLUMN pt621.position.spec IS 'everything behind gsb, as sent';
    COMMENT ON COLUMN pt621.position.quality IS 'bits for what could not be read or was put right, see pt621_quality(); 0 = none';

    COMMENT ON VIEW pt621.last_position IS 'the last valid fix of each tracker';
    COMMENT ON VIEW pt621.track IS 'valid fixes of one tracker and UTC day as LINESTRING M, M = seconds since 1970; a day with one fix has no line';
    COMMENT ON VIEW pt621.presence IS 'whether each tracker is online (heard of lately), silent (connected, but says nothing) or offline, at the time of the query';
    COMMENT ON COLUMN pt621.presence.device_id IS 'device.id';
    COMMENT ON COLUMN pt621.presence.ident IS 'id as the tracker sends it';
    COMMENT ON COLUMN pt621.presence.name IS 'your name for it';
    COMMENT ON COLUMN pt621.presence.state IS 'online, silent or offline';
    COMMENT ON COLUMN pt621.presence.reason IS 'why';
    COMMENT ON COLUMN pt621.presence.last_seen IS 'when anything was last received';
    COMMENT ON COLUMN pt621.presence.expected_by IS 'it is not online when nothing comes until then: 2.5 times its usual pause, at least 5 minutes, at most an hour';
    COMMENT ON COLUMN pt621.presence.connected_since IS 'since when its TCP connection is open; NULL = none is';
    COMMENT ON COLUMN pt621.presence.conn IS 'number of that connection, as in frame';
    COMMENT ON COLUMN pt621.presence.peer IS 'address at the other end';
    COMMENT ON COLUMN pt621.presence.peer_port IS 'port at the other end';
    COMMENT ON COLUMN pt621.device.id IS 'number of the tracker: device_id in the other tables';
    COMMENT ON COLUMN pt621.device_state.device_id IS 'device.id';
    COMMENT ON SEQUENCE pt621.device_id_seq IS 'numbers of trackers';
    COMMENT ON COLUMN pt621.last_position.device_id IS 'device.id';
    COMMENT ON COLUMN pt621.last_position.ident IS 'id as the tracker sends it';
    COMMENT ON COLUMN pt621.last_position.name IS 'your name for it';
    COMMENT ON COLUMN pt621.last_position.fix_time IS 'time of the last valid fix, UTC';
    COMMENT ON COLUMN pt621.last_position.geom IS 'point, SRID 4326';
    COMMENT ON COLUMN pt621.last_position.speed_kmh IS 'km/h, at that fix';
    COMMENT ON COLUMN pt621.last_position.course IS 'degrees clockwise from north, at that fix';
    COMMENT ON COLUMN pt621.last_position.ignition IS 'ignition input in the newest record that has it';
    COMMENT ON COLUMN pt621.last_position.driver IS 'driver in the newest record that has one';
    COMMENT ON COLUMN pt621.last_position.last_seen IS 'when anything was last received';
    COMMENT ON COLUMN pt621.track.device_id IS 'device.id';
    COMMENT ON COLUMN pt621.track.day IS 'day, UTC';
    COMMENT ON COLUMN pt621.track.first_fix IS 'time of the first fix of the day, UTC';
    COMMENT ON COLUMN pt621.track.last_fix IS 'time of the last fix of the day, UTC';
    COMMENT ON COLUMN pt621.track.fixes IS 'how many fixes the line joins';
    COMMENT ON COLUMN pt621.track.geom IS 'line, SRID 4326; M = seconds since 1970';
    COMMENT ON SEQUENCE pt621.frame_seq IS 'numbers of units';
    COMMENT ON SEQUENCE pt621.conn_seq IS 'numbers of connections, UDP paths and calls';
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_comment_tables() IS
'internal: comments on the tables, columns and views';
