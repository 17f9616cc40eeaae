-- 37-comments-5.sql: what the tables of layout 5 mean.

CREATE FUNCTION @extschema@.pt621_comment_layout_5()
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    COMMENT ON COLUMN pt621.device.firmware IS 'firmware version, as the tracker said it last';
    COMMENT ON COLUMN pt621.device.hardware IS 'second version, probably of the hardware, as the tracker said it last';
    COMMENT ON COLUMN pt621.device.phone IS 'number of its SIM, as your SMS gateway writes it';
    COMMENT ON COLUMN pt621.device.engine_output IS 'number of the output that cuts the engine when it is on, 1 = leftmost; NULL = none does';

    COMMENT ON TABLE pt621.device_secret IS 'what not every reader of pt621.device may see';
    COMMENT ON COLUMN pt621.device_secret.device_id IS 'device.id';
    COMMENT ON COLUMN pt621.device_secret.sms_password IS 'six digits before each command by SMS; 000000 where there is no row';

    COMMENT ON TABLE pt621.command IS 'commands to trackers: a row is an order, sent when it is committed and the tracker connected';
    COMMENT ON COLUMN pt621.command.id IS 'number of the command; those of one tracker are sent in order of it';
    COMMENT ON COLUMN pt621.command.device_id IS 'device.id';
    COMMENT ON COLUMN pt621.command.kind IS 'what it is to do, see pt621_command_kinds()';
    COMMENT ON COLUMN pt621.command.argument IS 'with what, by kind';
    COMMENT ON COLUMN pt621.command.wire IS 'as sent, without the # before and the line end behind it';
    COMMENT ON COLUMN pt621.command.transport IS 'data: by the tracker''s connection; sms: given to whoever asked, for a gateway';
    COMMENT ON COLUMN pt621.command.output IS 'number of the output that it switches on or off; NULL = none, or it is not known';
    COMMENT ON COLUMN pt621.command.cuts_engine IS 'it switches device.engine_output on, or may';
    COMMENT ON COLUMN pt621.command.force IS 'cut the engine whatever the speed';
    COMMENT ON COLUMN pt621.command.when_slow IS 'where the engine must not be cut now, wait until it may';
    COMMENT ON COLUMN pt621.command.state IS 'queued: waits; sending: about to be given to the network; sent; answered; expired: not sent in time; failed: see reason; cancelled';
    COMMENT ON COLUMN pt621.command.requested_at IS 'when it was asked for';
    COMMENT ON COLUMN pt621.command.requested_by IS 'role that asked for it';
    COMMENT ON COLUMN pt621.command.login IS 'role that had logged in';
    COMMENT ON COLUMN pt621.command.not_before IS 'not sent before; NULL = at once';
    COMMENT ON COLUMN pt621.command.expires_at IS 'not sent from then on';
    COMMENT ON COLUMN pt621.command.max_attempts IS 'how often it may be sent: again when it had no answer in time, or it is in doubt whether it was sent';
    COMMENT ON COLUMN pt621.command.attempts IS 'how often its connection took it, where up to 64 kB may wait for a tracker that does not read; those in doubt included';
    COMMENT ON COLUMN pt621.command.in_doubt IS 'attempts of which a crash took the knowledge whether they reached the network';
    COMMENT ON COLUMN pt621.command.sent_at IS 'when it was last given to its connection, where up to 64 kB may wait for a tracker that does not read; by SMS, to whoever asked';
    COMMENT ON COLUMN pt621.command.conn IS 'connection or path that it was sent by, as in frame.conn';
    COMMENT ON COLUMN pt621.command.answered_at IS 'when the first line of the answer was received';
    COMMENT ON COLUMN pt621.command.answer IS 'lines that the tracker answered, verbatim';
    COMMENT ON COLUMN pt621.command.cancelled_by IS 'role that cancelled it';
    COMMENT ON COLUMN pt621.command.reason IS 'why it failed, or what it waits for';
    COMMENT ON COLUMN pt621.command.note IS 'for you';

    COMMENT ON TABLE pt621.command_log IS 'what became of each command, one row for each change of its state; kept by a trigger, and by nobody else';
    COMMENT ON COLUMN pt621.command_log.id IS 'number of the row';
    COMMENT ON COLUMN pt621.command_log.command_id IS 'command.id, also when that row is gone';
    COMMENT ON COLUMN pt621.command_log.at IS 'when';
    COMMENT ON COLUMN pt621.command_log.state IS 'its state from then on; deleted: the row is gone';
    COMMENT ON COLUMN pt621.command_log.by IS 'role that had logged in, or that the worker runs as';
    COMMENT ON COLUMN pt621.command_log.command IS 'the row as it was then';

    COMMENT ON TABLE pt621.photo IS 'photos that trackers announced, and what has come of them';
    COMMENT ON COLUMN pt621.photo.id IS 'number of the photo';
    COMMENT ON COLUMN pt621.photo.device_id IS 'device.id';
    COMMENT ON COLUMN pt621.photo.fix_time IS 'time of the announcement, UTC: position.fix_time';
    COMMENT ON COLUMN pt621.photo.digest IS 'position.digest of the announcement';
    COMMENT ON COLUMN pt621.photo.announced_at IS 'when that was received';
    COMMENT ON COLUMN pt621.photo.camera IS 'number of camera or picture, as sent; NULL = none was sent';
    COMMENT ON COLUMN pt621.photo.geom IS 'where the tracker was';
    COMMENT ON COLUMN pt621.photo.size IS 'bytes, as announced; 0 = it had no picture';
    COMMENT ON COLUMN pt621.photo.received IS 'bytes that have come, from the first on';
    COMMENT ON COLUMN pt621.photo.missing IS 'bytes that have not, from 0';
    COMMENT ON COLUMN pt621.photo.state IS 'announced: not fetched yet; fetching; complete; failed: see reason';
    COMMENT ON COLUMN pt621.photo.reason IS 'why it failed, or what was odd';
    COMMENT ON COLUMN pt621.photo.numbering IS 'what the numbers of its pieces are: offset, index, or none; NULL = not known yet';
    COMMENT ON COLUMN pt621.photo.last_piece_at IS 'when the last piece came';
    COMMENT ON COLUMN pt621.photo.jpeg IS 'the picture, when all of it has come; NULL = not yet, or it was given up: pt621_photo_file() has what there is';
    COMMENT ON COLUMN pt621.photo.sha256 IS 'SHA-256 of jpeg; NULL where that is';

    COMMENT ON TABLE pt621.photo_piece IS 'pieces of photos that are being fetched, or were given up';
    COMMENT ON COLUMN pt621.photo_piece.photo_id IS 'photo.id';
    COMMENT ON COLUMN pt621.photo_piece.at IS 'offset of its first byte, from 0';
    COMMENT ON COLUMN pt621.photo_piece.bytes IS 'the bytes';

    COMMENT ON SEQUENCE pt621.command_id_seq IS 'numbers of commands';
    COMMENT ON SEQUENCE pt621.command_log_id_seq IS 'numbers of changes of commands';
    COMMENT ON SEQUENCE pt621.photo_id_seq IS 'numbers of photos';

    COMMENT ON VIEW pt621.picture IS 'photos without their bytes, with tracker, and the alarm that was last before';
    COMMENT ON COLUMN pt621.picture.photo_id IS 'photo.id';
    COMMENT ON COLUMN pt621.picture.device_id IS 'device.id';
    COMMENT ON COLUMN pt621.picture.ident IS 'device.ident';
    COMMENT ON COLUMN pt621.picture.name IS 'device.name';
    COMMENT ON COLUMN pt621.picture.fix_time IS 'time of the announcement, UTC';
    COMMENT ON COLUMN pt621.picture.camera IS 'number of camera or picture, as sent';
    COMMENT ON COLUMN pt621.picture.state IS 'announced, fetching, complete or failed';
    COMMENT ON COLUMN pt621.picture.size IS 'bytes, as announced';
    COMMENT ON COLUMN pt621.picture.missing IS 'bytes that have not come, from 0';
    COMMENT ON COLUMN pt621.picture.reason IS 'why it failed, or what was odd';
    COMMENT ON COLUMN pt621.picture.geom IS 'where the tracker was';
    COMMENT ON COLUMN pt621.picture.event_id IS 'event.id of the last alarm in the two minutes before, photos apart; NULL = there was none';
    COMMENT ON COLUMN pt621.picture.alarm IS 'event.object of it: sos, vibration, ...';
    COMMENT ON COLUMN pt621.picture.alarm_at IS 'event.at of it';
    COMMENT ON COLUMN pt621.picture.sha256 IS 'SHA-256 of the bytes';
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_comment_layout_5() IS
'internal: comments on the tables and columns of layout 5';
