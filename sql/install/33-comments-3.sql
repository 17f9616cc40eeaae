-- 33-comments-3.sql: what the tables of layout 3 mean.

CREATE FUNCTION @extschema@.pt621_comment_layout_3()
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    COMMENT ON COLUMN pt621.device.speed_limit_kmh IS 'speed limit, km/h; NULL = that of the fleet';
    COMMENT ON COLUMN pt621.device.options_since IS 'since when groups and speed_limit_kmh are as they are; NULL = always; kept by a trigger';
    COMMENT ON COLUMN pt621.device_state.detectors IS 'state of the detectors after the newest record';

    COMMENT ON TABLE pt621.device_version IS 'what groups and speed limit of a tracker were, until they were changed; kept by a trigger';
    COMMENT ON COLUMN pt621.device_version.device_id IS 'device.id';
    COMMENT ON COLUMN pt621.device_version.valid IS 'when that held';
    COMMENT ON COLUMN pt621.device_version.groups IS 'groups that it belonged to';
    COMMENT ON COLUMN pt621.device_version.speed_limit_kmh IS 'its speed limit, km/h; NULL = that of the fleet';

    COMMENT ON TABLE pt621.detection IS 'what the detectors of events go by, for the whole fleet, from valid_from on: insert a row to change it';
    COMMENT ON COLUMN pt621.detection.valid_from IS 'it holds for records of this time and later, until the next row';
    COMMENT ON COLUMN pt621.detection.speed_limit_kmh IS 'speed limit where neither fence nor tracker has one, km/h; NULL = none';
    COMMENT ON COLUMN pt621.detection.overspeed_tolerance_kmh IS 'so much over the limit is not over, km/h';
    COMMENT ON COLUMN pt621.detection.overspeed_min IS 'a shorter episode is none';
    COMMENT ON COLUMN pt621.detection.overspeed_merge IS 'a pause so short does not end an episode';
    COMMENT ON COLUMN pt621.detection.overspeed_gap IS 'a longer silence ends it';
    COMMENT ON COLUMN pt621.detection.ignition_debounce IS 'a change that is undone in less is none';
    COMMENT ON COLUMN pt621.detection.moving_from_kmh IS 'moving is so fast or faster, km/h';
    COMMENT ON COLUMN pt621.detection.still_below_kmh IS 'still is slower, km/h';
    COMMENT ON COLUMN pt621.detection.motion_start_after IS 'how long it must move for a start';
    COMMENT ON COLUMN pt621.detection.motion_stop_after IS 'how long it must stand for a stop';
    COMMENT ON COLUMN pt621.detection.motion_gap IS 'a longer silence confirms nothing, and its leg counts for no distance';
    COMMENT ON COLUMN pt621.detection.pass_gap IS 'two fixes further apart show no passing through a fence';
    COMMENT ON COLUMN pt621.detection.plausible_kmh IS 'a leg that is faster is none, km/h';
    COMMENT ON COLUMN pt621.detection.partner_gap IS 'a tracker is not known to be anywhere between two places further apart, when its distance to another is asked for';
    COMMENT ON COLUMN pt621.detection.repeat_after IS 'alarms of power cut or low battery that come later are of another one';

    COMMENT ON TABLE pt621.geofence IS 'one row per fence';
    COMMENT ON COLUMN pt621.geofence.id IS 'number of the fence: geofence_id in the other tables';
    COMMENT ON COLUMN pt621.geofence.name IS 'your name for it';
    COMMENT ON COLUMN pt621.geofence.geom IS 'a polygon or multipolygon; a point or line with radius_m around it; SRID 4326';
    COMMENT ON COLUMN pt621.geofence.radius_m IS 'of a circle or corridor, metres';
    COMMENT ON COLUMN pt621.geofence.valid IS 'when it is there';
    COMMENT ON COLUMN pt621.geofence.schedule IS 'hours of the week when it is there, as Mo-Fr 07:00-18:00; Sa 08:00-12:00; NULL = always';
    COMMENT ON COLUMN pt621.geofence.time_zone IS 'of the hours';
    COMMENT ON COLUMN pt621.geofence.devices IS 'trackers that it is for, device.id; NULL = see groups';
    COMMENT ON COLUMN pt621.geofence.groups IS 'groups of trackers that it is for; both NULL = all';
    COMMENT ON COLUMN pt621.geofence.min_dwell_in IS 'a shorter visit is none';
    COMMENT ON COLUMN pt621.geofence.min_dwell_out IS 'a shorter absence does not end one';
    COMMENT ON COLUMN pt621.geofence.min_fixes_in IS 'fixes inside that make a visit';
    COMMENT ON COLUMN pt621.geofence.min_fixes_out IS 'fixes outside, beyond the buffer, that end it';
    COMMENT ON COLUMN pt621.geofence.exit_buffer_m IS 'so near outside is not outside yet, metres; default 20, of corridors 0';
    COMMENT ON COLUMN pt621.geofence.dwell_after IS 'after so long inside there is an event geofence_dwell; NULL = none';
    COMMENT ON COLUMN pt621.geofence.interpolate IS 'enter and exit are the times of crossing between two fixes';
    COMMENT ON COLUMN pt621.geofence.speed_limit_kmh IS 'speed limit inside, km/h; NULL = none';
    COMMENT ON COLUMN pt621.geofence.shape IS 'the area of a circle or corridor; NULL = geom';

    COMMENT ON TABLE pt621.geofence_version IS 'what each fence was, and when; kept by triggers on geofence';
    COMMENT ON COLUMN pt621.geofence_version.geofence_id IS 'geofence.id, of deleted ones too';
    COMMENT ON COLUMN pt621.geofence_version.revision IS 'number of the change that made it so';
    COMMENT ON COLUMN pt621.geofence_version.edited_at IS 'when that was';
    COMMENT ON COLUMN pt621.geofence_version.valid IS 'when it was so';
    COMMENT ON COLUMN pt621.geofence_version.name IS 'name of the fence';
    COMMENT ON COLUMN pt621.geofence_version.shape IS 'its area';
    COMMENT ON COLUMN pt621.geofence_version.schedule IS 'as in geofence';
    COMMENT ON COLUMN pt621.geofence_version.time_zone IS 'as in geofence';
    COMMENT ON COLUMN pt621.geofence_version.devices IS 'as in geofence';
    COMMENT ON COLUMN pt621.geofence_version.groups IS 'as in geofence';
    COMMENT ON COLUMN pt621.geofence_version.min_dwell_in IS 'as in geofence';
    COMMENT ON COLUMN pt621.geofence_version.min_dwell_out IS 'as in geofence';
    COMMENT ON COLUMN pt621.geofence_version.min_fixes_in IS 'as in geofence';
    COMMENT ON COLUMN pt621.geofence_version.min_fixes_out IS 'as in geofence';
    COMMENT ON COLUMN pt621.geofence_version.exit_buffer_m IS 'as in geofence, metres';
    COMMENT ON COLUMN pt621.geofence_version.dwell_after IS 'as in geofence';
    COMMENT ON COLUMN pt621.geofence_version.interpolate IS 'as in geofence';
    COMMENT ON COLUMN pt621.geofence_version.speed_limit_kmh IS 'as in geofence, km/h';

    COMMENT ON TABLE pt621.geofence_stamp IS 'one row, changed with each change of a fence';
    COMMENT ON COLUMN pt621.geofence_stamp.revision IS 'number of the last change';

    COMMENT ON TABLE pt621.geofence_visit IS 'one row per stay of a tracker in a fence; what late data prove wrong is superseded';
    COMMENT ON COLUMN pt621.geofence_visit.id IS 'number of the row';
    COMMENT ON COLUMN pt621.geofence_visit.device_id IS 'device.id';
    COMMENT ON COLUMN pt621.geofence_visit.geofence_id IS 'geofence.id';
    COMMENT ON COLUMN pt621.geofence_visit.enter_at IS 'when it came in';
    COMMENT ON COLUMN pt621.geofence_visit.exit_at IS 'when it left; NULL = it has not';
    COMMENT ON COLUMN pt621.geofence_visit.enter_unknown IS 'it was inside when first heard of, or when the fence came';
    COMMENT ON COLUMN pt621.geofence_visit.exit_unknown IS 'the fence ended first; exit_at is the last fix inside';
    COMMENT ON COLUMN pt621.geofence_visit.interpolated IS 'enter_at or exit_at is a time of crossing between two fixes';
    COMMENT ON COLUMN pt621.geofence_visit.passed IS 'it passed through between two fixes, none of which is inside';
    COMMENT ON COLUMN pt621.geofence_visit.uncertainty_s IS 'of interpolated times, seconds to either side';
    COMMENT ON COLUMN pt621.geofence_visit.seconds IS 'length, seconds';
    COMMENT ON COLUMN pt621.geofence_visit.metres IS 'way inside, metres';
    COMMENT ON COLUMN pt621.geofence_visit.top_speed_kmh IS 'highest speed inside, km/h';
    COMMENT ON COLUMN pt621.geofence_visit.driver IS 'driver when it came in';
    COMMENT ON COLUMN pt621.geofence_visit.confirmed_at IS 'time of the fix that showed the visit';
    COMMENT ON COLUMN pt621.geofence_visit.detected_at IS 'when the row was made';
    COMMENT ON COLUMN pt621.geofence_visit.late IS 'that was later than pt621.late_after after it came in';
    COMMENT ON COLUMN pt621.geofence_visit.superseded_at IS 'when it was found wrong; NULL = it holds';
    COMMENT ON COLUMN pt621.geofence_visit.corrects IS 'id of the superseded row that it replaces';

    COMMENT ON TABLE pt621.event IS 'one row per thing that happened; what late data prove wrong is superseded';
    COMMENT ON COLUMN pt621.event.id IS 'number of the row';
    COMMENT ON COLUMN pt621.event.kind IS 'what: alarm, overspeed, ignition_on, geofence_exit, ..., see the README';
    COMMENT ON COLUMN pt621.event.code IS 'code as sent, of alarms';
    COMMENT ON COLUMN pt621.event.device_id IS 'device.id';
    COMMENT ON COLUMN pt621.event.at IS 'when it happened, or began';
    COMMENT ON COLUMN pt621.event.until IS 'when it ended; NULL = it is a moment, or has not';
    COMMENT ON COLUMN pt621.event.detected_at IS 'when the row was made';
    COMMENT ON COLUMN pt621.event.late IS 'that was later than pt621.late_after after it happened';
    COMMENT ON COLUMN pt621.event.geofence_id IS 'geofence.id';
    COMMENT ON COLUMN pt621.event.object IS 'alarm: its name; driver_change: the driver; proximity: the partner';
    COMMENT ON COLUMN pt621.event.geom IS 'where, SRID 4326';
    COMMENT ON COLUMN pt621.event.detail IS 'what else is known; speeds in km/h, lengths in metres, times UTC';
    COMMENT ON COLUMN pt621.event.confirmed_at IS 'time of the record that showed it';
    COMMENT ON COLUMN pt621.event.superseded_at IS 'when it was found wrong; NULL = it holds';
    COMMENT ON COLUMN pt621.event.corrects IS 'id of the superseded row that it replaces';

    COMMENT ON TABLE pt621.track_piece IS 'where tracks ran and detectors stood, every few records; kept by pt621';
    COMMENT ON COLUMN pt621.track_piece.device_id IS 'device.id';
    COMMENT ON COLUMN pt621.track_piece.until IS 'time of its last record';
    COMMENT ON COLUMN pt621.track_piece.since IS 'time of the last record before it';
    COMMENT ON COLUMN pt621.track_piece.fixes IS 'how many records';
    COMMENT ON COLUMN pt621.track_piece.extent IS 'extent of the track, degrees, longitude first';
    COMMENT ON COLUMN pt621.track_piece.top_speed_kmh IS 'highest speed, km/h';
    COMMENT ON COLUMN pt621.track_piece.detectors IS 'state of the detectors at its end; empty: what was before has no events yet';

    COMMENT ON TABLE pt621.device_link IS 'pairs of trackers whose proximity is an event';
    COMMENT ON COLUMN pt621.device_link.device_id IS 'device.id of the one, the lower number';
    COMMENT ON COLUMN pt621.device_link.partner_id IS 'device.id of the other';
    COMMENT ON COLUMN pt621.device_link.near_m IS 'they are together when nearer, metres';
    COMMENT ON COLUMN pt621.device_link.far_m IS 'and apart when farther, metres';
    COMMENT ON COLUMN pt621.device_link.created_at IS 'their records of this time and later are compared';

    COMMENT ON TABLE pt621.presence_log IS 'changes of the state of each tracker in the view presence, as the maintenance worker saw them';
    COMMENT ON COLUMN pt621.presence_log.id IS 'order in which they were seen';
    COMMENT ON COLUMN pt621.presence_log.device_id IS 'device.id';
    COMMENT ON COLUMN pt621.presence_log.at IS 'since when, as far as is known: the first word after a silence, the time until which a word was expected, the end of the connection';
    COMMENT ON COLUMN pt621.presence_log.state IS 'online, silent (connected, but says nothing) or offline';
    COMMENT ON COLUMN pt621.presence_log.reason IS 'why, as the view presence has it';
    COMMENT ON COLUMN pt621.presence_log.last_seen IS 'when anything was last received, then';
    COMMENT ON TABLE pt621.presence_last IS 'the last row of presence_log of each tracker; kept by the maintenance worker';
    COMMENT ON COLUMN pt621.presence_last.device_id IS 'device.id';
    COMMENT ON COLUMN pt621.presence_last.at IS 'as in presence_log';
    COMMENT ON COLUMN pt621.presence_last.state IS 'as in presence_log';

    COMMENT ON TABLE pt621.outbox IS 'messages of pt621_to_outbox() that pt621_outbox_take() has not taken off yet';
    COMMENT ON COLUMN pt621.outbox.id IS 'number, in order of writing';
    COMMENT ON COLUMN pt621.outbox.created_at IS 'start of the transaction that wrote it';
    COMMENT ON COLUMN pt621.outbox.channel IS 'the argument of the trigger';
    COMMENT ON COLUMN pt621.outbox.message IS 'the event, as a JSON object';

    COMMENT ON SEQUENCE pt621.geofence_revision_seq IS 'numbers of changes of fences';
    COMMENT ON SEQUENCE pt621.geofence_id_seq IS 'numbers of fences';
    COMMENT ON SEQUENCE pt621.geofence_visit_id_seq IS 'numbers of visits';
    COMMENT ON SEQUENCE pt621.event_id_seq IS 'numbers of events';
    COMMENT ON SEQUENCE pt621.presence_log_id_seq IS 'numbers of changes of presence';
    COMMENT ON SEQUENCE pt621.outbox_id_seq IS 'numbers of messages';
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_comment_layout_3() IS
'internal: comments on the tables and columns of layout 3';
