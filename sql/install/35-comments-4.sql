-- 35-comments-4.sql: what the tables of layout 4 mean.

CREATE FUNCTION @extschema@.pt621_comment_layout_4()
RETURNS void
LANGUAGE plpgsql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    COMMENT ON TABLE pt621.calibration IS 'what the analog channels of a tracker measure: name, unit, and pairs of raw count and value, straight in between';
    COMMENT ON COLUMN pt621.calibration.id IS 'number of the row';
    COMMENT ON COLUMN pt621.calibration.device_id IS 'device.id';
    COMMENT ON COLUMN pt621.calibration.name IS 'name of the sensor: fuel, temperature, ...';
    COMMENT ON COLUMN pt621.calibration.channel IS 'element of position.adc, 1 = the first';
    COMMENT ON COLUMN pt621.calibration.unit IS 'unit of value: l, C, V, ...';
    COMMENT ON COLUMN pt621.calibration.raw IS 'raw counts, ascending';
    COMMENT ON COLUMN pt621.calibration.value IS 'the value at each of them, in the unit';
    COMMENT ON COLUMN pt621.calibration.valid IS 'event times that it holds for; where two of one name do, the one that began later';

    COMMENT ON TABLE pt621.input IS 'what is wired to the inputs of a tracker';
    COMMENT ON COLUMN pt621.input.id IS 'number of the row';
    COMMENT ON COLUMN pt621.input.device_id IS 'device.id';
    COMMENT ON COLUMN pt621.input.name IS 'name of the sensor: door, SOS, PTO, ...';
    COMMENT ON COLUMN pt621.input.number IS 'number of the input, 1 = leftmost';
    COMMENT ON COLUMN pt621.input.inverted IS 'the bit is 0 when it is on';
    COMMENT ON COLUMN pt621.input.valid IS 'event times that it holds for; where two of one name do, the one that began later';

    COMMENT ON TABLE pt621.driver IS 'who has which RFID or driver id, and may drive what';
    COMMENT ON COLUMN pt621.driver.id IS 'number of the row';
    COMMENT ON COLUMN pt621.driver.rfid IS 'id as in position.driver';
    COMMENT ON COLUMN pt621.driver.name IS 'name of the driver';
    COMMENT ON COLUMN pt621.driver.devices IS 'trackers that he may drive, device.id; NULL = see groups';
    COMMENT ON COLUMN pt621.driver.groups IS 'groups of trackers that he may drive; both NULL = all';
    COMMENT ON COLUMN pt621.driver.valid IS 'event times that it holds for; where two rows of one id do, either allows';

    COMMENT ON TABLE pt621.sensor_alarm IS 'thresholds of sensors whose crossing is an event sensor_alarm';
    COMMENT ON COLUMN pt621.sensor_alarm.id IS 'number of the row';
    COMMENT ON COLUMN pt621.sensor_alarm.name IS 'your name for it: event.object';
    COMMENT ON COLUMN pt621.sensor_alarm.sensor IS 'name of the sensor in calibration or input';
    COMMENT ON COLUMN pt621.sensor_alarm.above IS 'alarm when the value is more, in its unit; of an input, on is 1 and off 0; NULL = no such threshold';
    COMMENT ON COLUMN pt621.sensor_alarm.below IS 'alarm when the value is less; NULL = no such threshold';
    COMMENT ON COLUMN pt621.sensor_alarm.lasting IS 'how long it must last';
    COMMENT ON COLUMN pt621.sensor_alarm.max_gap IS 'a longer silence of the sensor ends it';
    COMMENT ON COLUMN pt621.sensor_alarm.moving IS 'true: only while it moves, false: only while it does not, NULL: always';
    COMMENT ON COLUMN pt621.sensor_alarm.devices IS 'trackers that it is for, device.id; NULL = see groups';
    COMMENT ON COLUMN pt621.sensor_alarm.groups IS 'groups of trackers that it is for; both NULL = all';
    COMMENT ON COLUMN pt621.sensor_alarm.valid IS 'event times that it holds for';

    COMMENT ON TABLE pt621.sensor_change IS 'what was changed of sensor_alarm, calibration and input, until the states of all trackers know: for the detectors';
    COMMENT ON COLUMN pt621.sensor_change.revision IS 'number of the change';
    COMMENT ON COLUMN pt621.sensor_change.changed_at IS 'when';
    COMMENT ON COLUMN pt621.sensor_change.device_id IS 'device.id of the tracker that it concerns; NULL = all';
    COMMENT ON COLUMN pt621.sensor_change.sensor IS 'name of the calibration or input; NULL = a rule was changed';
    COMMENT ON COLUMN pt621.sensor_change.since IS 'event time from which on alarms may be others';

    COMMENT ON TABLE pt621.maintenance_plan IS 'services that a tracker''s vehicle needs: after so many km, engine hours or days, whichever comes first';
    COMMENT ON COLUMN pt621.maintenance_plan.id IS 'number of the plan';
    COMMENT ON COLUMN pt621.maintenance_plan.device_id IS 'device.id';
    COMMENT ON COLUMN pt621.maintenance_plan.name IS 'name of the service';
    COMMENT ON COLUMN pt621.maintenance_plan.every_km IS 'due after so many km; NULL = whatever they are';
    COMMENT ON COLUMN pt621.maintenance_plan.every_engine_h IS 'due after so many hours of the engine; NULL = whatever they are';
    COMMENT ON COLUMN pt621.maintenance_plan.every_days IS 'due after so many days; NULL = whatever they are';
    COMMENT ON COLUMN pt621.maintenance_plan.warn_at IS 'it is soon due from this part of the way on, 0 to 1';
    COMMENT ON COLUMN pt621.maintenance_plan.since IS 'from when to count as long as there is no record of a service';
    COMMENT ON COLUMN pt621.maintenance_plan.next_look_at IS 'kept by the worker: when it looks again';
    COMMENT ON COLUMN pt621.maintenance_plan.last_look IS 'kept by the worker: what the plan was when it looked last';

    COMMENT ON TABLE pt621.maintenance_record IS 'services that were done';
    COMMENT ON COLUMN pt621.maintenance_record.id IS 'number of the row';
    COMMENT ON COLUMN pt621.maintenance_record.plan_id IS 'maintenance_plan.id';
    COMMENT ON COLUMN pt621.maintenance_record.done_at IS 'when it was done: the next one is counted from here';
    COMMENT ON COLUMN pt621.maintenance_record.note IS 'for you';

    COMMENT ON SEQUENCE pt621.calibration_id_seq IS 'numbers of calibrations';
    COMMENT ON SEQUENCE pt621.input_id_seq IS 'numbers of inputs'' rows';
    COMMENT ON SEQUENCE pt621.driver_id_seq IS 'numbers of drivers'' rows';
    COMMENT ON SEQUENCE pt621.sensor_alarm_id_seq IS 'numbers of sensor alarms';
    COMMENT ON SEQUENCE pt621.sensor_change_revision_seq IS 'numbers of changes of sensors';
    COMMENT ON SEQUENCE pt621.maintenance_plan_id_seq IS 'numbers of plans';
    COMMENT ON SEQUENCE pt621.maintenance_record_id_seq IS 'numbers of services done';
END
$function$;
COMMENT ON FUNCTION @extschema@.pt621_comment_layout_4() IS
'internal: comments on the tables and columns of layout 4';
